"""A door to the GCS on the worker's own address: Ray connects here, and each connection goes on to where the head is.

A head that dies comes back at another address, but Ray keeps for its whole life the one that it was started with. So
it is given this one, which never changes. The target is asked for anew for every connection; when it moves, the
connections to the old one are dropped, so that Ray reconnects at once instead of waiting for packets that nobody
answers. A machine that disappears without a word is noticed by keepalive packets, which Ray's own client sends rarely.

Ray's patience with its GCS is Ray's matter: while there is no head, a connection is held for a moment and then closed.
It knows neither Ray nor the connection file; it sees bytes. It runs in a thread with a loop of its own.

Where Ray speaks TLS it wants a certificate for the address that it was given, which the head's is not. So TLS ends
here, with this node's certificate, and begins anew to the head, whose own must name the head's address.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence

from cai_deploy.node.tls import Certificate

HOLD = 5.0
"""Seconds for which a new connection waits for a target that answers."""

CONNECT_TIMEOUT = 2.0
RETRY = 0.1
LOOK_EVERY = 0.5
CHUNK = 256 * 1024

KEEPALIVE = ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))
UNANSWERED = 10_000
"""Milliseconds after which sent bytes that nobody confirmed end a connection."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Forwarder:
    """``target`` gives ``host:port``, or "" while there is none. ``tell`` hears when it moves.

    ``certificate`` is this node's, already made, None where nobody speaks TLS.
    """

    def __init__(
        self, target: Callable[[], str], tell: Callable[[str], None], certificate: Certificate | None = None
    ) -> None:
        self._ask = target
        self._tell = tell
        self._near = certificate.for_callers() if certificate else None
        self._far = certificate.for_calls() if certificate else None
        self._distrusted = ""
        self._target = ""
        self._joined: dict[asyncio.Task[None], str] = {}

    def serve(self, hosts: Sequence[str], port: int) -> int:
        """Listen on ``port`` of every one of ``hosts``, or on a free one when that is held; returns the port.

        Only the first host has to work. Raises OSError when it does not.
        """
        servers = _listen(hosts, port)
        threading.Thread(target=self._serve_for_ever, args=[servers], daemon=True, name="forwarder").start()
        return int(servers[0].getsockname()[1])

    def _serve_for_ever(self, servers: list[socket.socket]) -> None:
        with contextlib.suppress(RuntimeError):  # no thread can be started any more: the process is ending
            asyncio.run(self._run(servers))

    async def _run(self, servers: list[socket.socket]) -> None:
        listening = [await asyncio.start_server(self._accepted, sock=server, ssl=self._near) for server in servers]
        while listening:
            await self._look()
            for task, joined_to in list(self._joined.items()):
                if joined_to and joined_to != self._target:
                    task.cancel()
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self) -> str:
        # In a thread, as the answer comes from a file system that may hang.
        target = await asyncio.to_thread(self._ask)
        if target and target != self._target:
            if self._target:
                self._tell(f"the head has moved from {self._target} to {target}")
            self._target = target
        return self._target

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task  # noqa: S101 (a coroutine always runs in one)
        self._joined[task] = ""
        try:
            if far := await self._reach(task):
                await _join((reader, writer), far)
        except asyncio.CancelledError:
            pass  # ours: the target has moved. Taken further, asyncio would report it as an error.
        finally:
            del self._joined[task]
            writer.transport.abort()

    async def _reach(self, task: asyncio.Task[None]) -> Stream | None:
        """A connection to wherever the target is by now; None when nobody answers for a while."""
        end = asyncio.get_running_loop().time() + HOLD
        await self._look()
        while asyncio.get_running_loop().time() < end:
            target = self._target
            host, _, port = target.rpartition(":")
            try:
                connecting = asyncio.open_connection(host, int(port), ssl=self._far)
                far = await asyncio.wait_for(connecting, CONNECT_TIMEOUT)
            except ssl.SSLError as error:
                self._distrust(target, error)
            except (OSError, ValueError, asyncio.TimeoutError):
                pass  # nobody is there, which the one who waits will notice
            else:
                self._joined[task] = target
                return far
            await asyncio.sleep(RETRY)
        return None

    def _distrust(self, target: str, error: ssl.SSLError) -> None:
        if target != self._distrusted:
            self._distrusted = target
            self._tell(f"whoever is at {target} is not taken for the head: {error}")


async def _join(near: Stream, far: Stream) -> None:
    """Hand bytes on both ways until both ways have ended, or one of them breaks."""
    for _, writer in (near, far):
        _notice_silence(writer.get_extra_info("socket"))
    ways = [asyncio.create_task(_copy(near[0], far[1])), asyncio.create_task(_copy(far[0], near[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        if all(way.done() and not way.exception() for way in ways):
            await _flush(near[1], far[1])
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for _, writer in (near, far):
            writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()  # with TLS no half of a connection can be closed


async def _flush(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
    for writer in writers:
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _listen(hosts: Sequence[str], port: int) -> list[socket.socket]:
    try:
        first = socket.create_server((hosts[0], port))
    except OSError:
        first = socket.create_server((hosts[0], 0))
    servers = [first]
    for host in hosts[1:]:
        with contextlib.suppress(OSError):
            servers.append(socket.create_server((host, first.getsockname()[1])))
    return servers


def _notice_silence(connection: socket.socket | None) -> None:
    if connection is None:  # TLS that has ended meanwhile has none
        return
    with contextlib.suppress(OSError):  # it has ended meanwhile, which reading will tell
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED)
