"""The gateway in front of a dashboard of our own making, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from cai_deploy.node.gateway import Gateway, PortRefused, passed_headers


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    headers = {"X-Path": request.raw_path, "X-Method": request.method}
    return web.Response(body=body, status=201, headers=headers)


async def shout(request: web.Request) -> web.WebSocketResponse:
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    async for message in answer:
        await answer.send_str(message.data.upper())
        await answer.close()
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def gateway(describe: Any = dict) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A dashboard, a gateway before it, and a client of both."""
    dashboard = web.Application(client_max_size=0)
    dashboard.router.add_get("/shout", shout)
    dashboard.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(dashboard)
    await runner.setup()
    inner, outer = free_port(), free_port()
    await web.TCPSite(runner, "127.0.0.1", inner).start()
    await asyncio.to_thread(Gateway(f"http://127.0.0.1:{inner}", describe).serve, outer)
    async with aiohttp.ClientSession() as session:
        yield session, f"http://127.0.0.1:{outer}"
    await runner.cleanup()


def test_requests_pass_whole() -> None:
    async def check() -> None:
        async with gateway() as (client, url):
            body = b"x" * 3_000_000
            async with client.put(f"{url}/api/a%2Fb?q=1%202", data=body) as answer:
                assert answer.status == 201
                assert answer.headers["X-Method"] == "PUT"
                assert answer.headers["X-Path"] == "/api/a%2Fb?q=1%202"
                assert await answer.read() == body
            async with client.head(f"{url}/x") as answer:
                assert answer.status == 201

    asyncio.run(check())


def test_websockets_are_joined() -> None:
    async def check() -> None:
        async with gateway() as (client, url), client.ws_connect(f"{url}/shout") as joined:
            await joined.send_str("hello")
            assert (await joined.receive(timeout=5)).data == "HELLO"
            assert (await joined.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)

    asyncio.run(check())


def test_our_own_answers() -> None:
    def nodes() -> Mapping[str, Any]:
        return {"epoch": 3, "nodes": [{"name": "head", "state": "ALIVE"}]}

    def broken() -> Mapping[str, Any]:
        raise RuntimeError("the GCS is away")

    async def check() -> None:
        async with gateway(nodes) as (client, url):
            assert await (await client.get(f"{url}/cai-deploy/nodes")).json() == nodes()
            assert (await client.get(f"{url}/healthz")).status == 200
        async with gateway(broken) as (client, url):
            answer = await client.get(f"{url}/cai-deploy/nodes")
            assert answer.status == 503
            assert "the GCS is away" in await answer.text()

    asyncio.run(check())


def test_a_dashboard_that_is_not_there_yet_is_said() -> None:
    async def check() -> None:
        port = free_port()
        await asyncio.to_thread(Gateway(f"http://127.0.0.1:{free_port()}", dict).serve, port)
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 503

    asyncio.run(check())


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))  # noqa: S104
        other.listen()
        with pytest.raises(PortRefused, match="cannot be opened"):
            Gateway("http://127.0.0.1:1", dict).serve(other.getsockname()[1])


@pytest.mark.parametrize(
    ("headers", "passed"),
    [
        ({"Host": "a", "Connection": "keep-alive", "X-A": "1"}, {"X-A": "1"}),
        ({"Authorization": "Bearer ray"}, {"Authorization": "Bearer ray"}),
        ({"Authorization": "Bearer key", "X-Ray-Authorization": "Bearer ray"}, {"X-Ray-Authorization": "Bearer ray"}),
    ],
)
def test_which_headers_go_on(headers: dict[str, str], passed: dict[str, str]) -> None:
    assert passed_headers(headers) == passed
