"""Both ports open at once, on the loopback address alone, for as long as somebody needs them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from cai_deploy.access import Access
from cai_deploy.errors import ConfigError
from cai_deploy.tunnel.client_port import ClientPort
from cai_deploy.tunnel.dashboard_port import DashboardPort
from cai_deploy.tunnel.way import LONGEST_HEADER, open_session

LOOPBACK = "127.0.0.1"
BACKLOG = 128
CLIENT, DASHBOARD = 10001, 8265
"""Where Ray itself has them."""


@dataclass(frozen=True)
class Wish:
    """The ports to open; None is Ray's own if it is free, or else any."""

    client: int | None = None
    dashboard: int | None = None


@dataclass(frozen=True)
class Opened:
    """The ports that are open."""

    client: int
    dashboard: int

    @property
    def client_url(self) -> str:
        return f"ray://{LOOPBACK}:{self.client}"

    @property
    def dashboard_url(self) -> str:
        return f"http://{LOOPBACK}:{self.dashboard}"


@asynccontextmanager
async def open_ports(access: Access, wish: Wish, say: Callable[[str], object]) -> AsyncIterator[Opened]:
    """The ports, until the context ends, which ends all connections. Raises ConfigError for one that is taken."""
    async with AsyncExitStack() as held:
        client, dashboard = listen(wish.client, CLIENT), listen(wish.dashboard, DASHBOARD)
        for each in (client, dashboard):
            held.callback(each.close)
        opened = Opened(client.getsockname()[1], dashboard.getsockname()[1])
        session = await held.enter_async_context(open_session(access))
        await held.enter_async_context(_connections(ClientPort(access, session, say), client))
        await held.enter_async_context(_requests(DashboardPort(access, session), dashboard))
        yield opened


def listen(asked: int | None, usual: int) -> socket.socket:
    """A socket that listens to this machine alone. Raises ConfigError when the port that was asked for is taken."""
    for port in (usual, 0) if asked is None else (asked,):
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((LOOPBACK, port))
            opened.listen(BACKLOG)
        except OSError as error:
            opened.close()
            why = error.strerror or str(error)
        else:
            return opened
    raise ConfigError(
        f"port {asked or usual} of this machine cannot be opened", why=why, next_step="choose another, or give none"
    )


@asynccontextmanager
async def _connections(port: ClientPort, opened: socket.socket) -> AsyncIterator[None]:
    joined: set[asyncio.Task[None]] = set()

    def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(port.join(reader, writer))
        joined.add(task)
        task.add_done_callback(joined.discard)

    server = await asyncio.start_server(join, sock=opened)
    try:
        yield
    finally:
        server.close()
        for task in joined:
            task.cancel()
        await asyncio.gather(*joined, return_exceptions=True)


@asynccontextmanager
async def _requests(port: DashboardPort, opened: socket.socket) -> AsyncIterator[None]:
    application = web.Application(client_max_size=0)
    application.router.add_route("*", "/{path:.*}", port.answer)
    runner = web.AppRunner(
        application,
        access_log=None,
        handler_cancellation=True,
        auto_decompress=False,
        shutdown_timeout=0.5,
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, opened).start()
        yield
    finally:
        await runner.cleanup()
