"""The two local ports in front of a head of our own making, over real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from cai_deploy.access import Access
from cai_deploy.errors import ConfigError
from cai_deploy.node.web.tunnel import PATH, Tunnel
from cai_deploy.tunnel.peers import is_ours
from cai_deploy.tunnel.ports import Opened, Wish, listen, open_ports
from tests.free_ports import free_port

SHOWN = {"Host": "head.example", "Authorization": "Bearer key", "X-Ray-Authorization": "Bearer token"}


@dataclass
class Head:
    """What a head heard, and where its services are."""

    seen: list[web.Request] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    status: HTTPStatus = HTTPStatus.OK

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if request.path == "/stream":
            response = web.StreamResponse()
            await response.prepare(request)
            async for piece in request.content.iter_any():
                await response.write(piece)
            return response
        if request.path == "/tail":
            websocket = web.WebSocketResponse()
            await websocket.prepare(request)
            await websocket.send_str("a line")
            await websocket.close()
            return websocket
        return web.json_response({"path": request.raw_path}, status=self.status)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read(-1))
    writer.close()


@asynccontextmanager
async def opened(head: Head, service: str | None = None) -> AsyncIterator[tuple[Opened, aiohttp.ClientSession]]:
    """The ports to ``head``, whose tunnel leads to an echo, or to ``service``."""
    behind = await asyncio.start_server(echo, "127.0.0.1", 0)
    address = service or f"127.0.0.1:{behind.sockets[0].getsockname()[1]}"
    tunnel = Tunnel({"client": address})

    async def join(request: web.Request) -> web.StreamResponse:
        head.seen.append(request)
        return await tunnel.join(request)

    application = web.Application(client_max_size=0)
    application.router.add_get(PATH, join)
    application.router.add_route("*", "/{path:.*}", head.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    access = Access(f"http://127.0.0.1:{runner.addresses[0][1]}", SHOWN)
    async with (
        open_ports(access, Wish(free_port(), free_port()), head.said.append) as ports,
        aiohttp.ClientSession() as s,
    ):
        yield ports, s
    behind.close()
    await runner.cleanup()


def run(check: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(check(), 30)

    asyncio.run(bounded())


async def say(port: int, words: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(words)
    writer.write_eof()
    try:
        return await reader.read(-1)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def test_connections_are_carried_and_shown_to_the_head_with_what_opens_it() -> None:
    head = Head()

    async def check() -> None:
        async with opened(head) as (ports, _):
            assert await asyncio.gather(*(say(ports.client, b"%d" % number) for number in range(20))) == [
                b"%d" % number for number in range(20)
            ]
        assert {request.headers["X-Ray-Authorization"] for request in head.seen} == {"Bearer token"}
        assert {request.headers["Host"] for request in head.seen} == {"head.example"}

    run(check)
    assert head.said == []


def test_a_service_that_is_away_is_told_once() -> None:
    head = Head()

    async def check() -> None:
        async with opened(head, f"127.0.0.1:{free_port()}") as (ports, _):
            assert [await say(ports.client, b"x") for _ in range(3)] == [b"", b"", b""]

    run(check)
    assert len(head.said) == 1
    assert "status 503" in head.said[0]


def test_requests_pass_whole_with_what_opens_the_cluster_and_without_what_is_private_here() -> None:
    head = Head()
    private = {"Authorization": "Bearer mine", "Cookie": "other=1", "X-Ray-Authorization": "Bearer mine"}

    async def check() -> None:
        async with opened(head) as (ports, client):
            async with client.get(f"{ports.dashboard_url}/api/a%2Fb?q=1%202", headers=private) as answer:
                assert await answer.json() == {"path": "/api/a%2Fb?q=1%202"}
            body = os.urandom(3_000_000)
            async with client.put(f"{ports.dashboard_url}/stream", data=body) as answer:
                assert await answer.read() == body
            async with client.ws_connect(f"{ports.dashboard_url}/tail") as tail:
                assert await tail.receive_str(timeout=5) == "a line"
        for request in head.seen:
            assert {name: request.headers[name] for name in SHOWN} == SHOWN
            assert "Cookie" not in request.headers

    run(check)


@pytest.mark.parametrize(
    ("headers", "method", "admitted"),
    [
        ({}, "POST", True),
        ({"Host": "evil.example"}, "GET", False),
        ({"Host": "127.0.0.1"}, "GET", False),
        ({"Host": "localhost:{port}"}, "GET", True),
        ({"Origin": "http://127.0.0.1:{port}"}, "POST", True),
        ({"Origin": "http://localhost:{port}"}, "POST", True),
        ({"Origin": "http://127.0.0.1:1"}, "POST", False),
        ({"Origin": "https://evil.example"}, "POST", False),
        ({"Origin": "https://evil.example"}, "GET", False),
        ({"Origin": "null"}, "POST", False),
        ({"Origin": "http://[::1"}, "POST", False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, "GET", False),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, "GET", False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, "GET", True),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, "POST", False),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, "POST", True),
    ],
)
def test_pages_of_other_sites_get_nothing(headers: dict[str, str], method: str, admitted: bool) -> None:
    head = Head()

    async def check() -> None:
        async with opened(head) as (ports, client):
            sent = {name: value.format(port=ports.dashboard) for name, value in headers.items()}
            async with client.request(method, f"{ports.dashboard_url}/api/jobs/", headers=sent) as answer:
                assert answer.status == (HTTPStatus.OK if admitted else HTTPStatus.FORBIDDEN)
        assert bool(head.seen) is admitted

    run(check)


def test_programs_of_others_get_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    head = Head()
    for port in ("client_port", "dashboard_port"):
        monkeypatch.setattr(f"cai_deploy.tunnel.{port}.is_ours", lambda peer, own: False)

    async def check() -> None:
        async with opened(head) as (ports, client), client.get(f"{ports.dashboard_url}/") as answer:
            assert answer.status == HTTPStatus.FORBIDDEN
            assert "another user" in await answer.text()
            assert await say(ports.client, b"x") == b""
        assert not head.seen

    run(check)
    assert "another user's" in head.said[0]


def test_whose_connection_it_is_stands_in_the_systems_table(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    row = "   0: 0100007F:{:04X} 0100007F:{:04X} 01 00000000:00000000 00:00000000 00000000 {:5d}        0 1\n"
    table = tmp_path / "tcp"
    theirs = os.getuid() + 4711
    table.write_text(
        head + row.format(4000, 8265, os.getuid()) + row.format(4001, 8265, theirs) + row.format(9, 8265, 0)
    )
    assert is_ours(4000, 8265, (table,))
    assert not is_ours(4001, 8265, (table,))
    assert is_ours(9, 8265, (table,)), "the administrator may do everything anyway"
    assert not is_ours(4002, 8265, (table,)), "nobody knows whose this is"
    assert not is_ours(4000, 8266, (table,))
    assert is_ours(4001, 8265, (tmp_path / "none",)), "a system that tells nothing"


def test_a_real_connection_of_ours_is_known_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert is_ours(client.getsockname()[1], server.getsockname()[1])


def test_a_port_that_is_taken() -> None:
    with listen(None, 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            listen(port, 1)
        with listen(None, port) as other:
            assert other.getsockname()[1] != port
            assert other.getsockname()[0] == "127.0.0.1"


def test_the_end_ends_connections_too() -> None:
    head = Head()

    async def check() -> None:
        async with opened(head) as (ports, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", ports.client)
            writer.write(b"never ends")
            while not head.seen:
                await asyncio.sleep(0.01)
        with suppress(ConnectionResetError):
            assert await reader.read(-1) == b""
        writer.close()
        assert not is_open(ports.client)
        assert not is_open(ports.dashboard)

    run(check)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
