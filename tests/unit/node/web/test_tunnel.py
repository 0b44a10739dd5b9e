"""The tunnel's path at the gateway: what it leads to, and who may take it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import aiohttp
import pytest

from cai_deploy.access import RAY_AUTHORIZATION
from cai_deploy.carrier import END
from cai_deploy.node.web.guard import COOKIE, Guard
from cai_deploy.node.web.tunnel import PATH, Tunnel
from tests.free_ports import free_port
from tests.unit.node.web.test_gateway import gateway

TOKEN = "the-token-of-this-cluster"
SHOWN = {RAY_AUTHORIZATION: f"Bearer {TOKEN}"}


async def shouts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write((await reader.read(-1)).upper())
    writer.close()


def run(check: Callable[[aiohttp.ClientSession, str], Awaitable[None]], address: str = "") -> None:
    async def surrounded() -> None:
        behind = await asyncio.start_server(shouts, "127.0.0.1", 0)
        there = address or f"127.0.0.1:{behind.sockets[0].getsockname()[1]}"
        async with gateway(guard=Guard(TOKEN), handled={PATH: Tunnel({"client": there}).join}) as (client, url):
            await asyncio.wait_for(check(client, f"{url}/cai-deploy/tunnel/client"), 30)
        behind.close()

    asyncio.run(surrounded())


def test_a_websocket_is_joined_to_the_service() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        async with client.ws_connect(url, headers=SHOWN) as websocket:
            await websocket.send_bytes(b"hel")
            await websocket.send_bytes(b"lo")
            await websocket.send_str(END)
            assert await websocket.receive_bytes(timeout=10) == b"HELLO"
            assert await websocket.receive_str(timeout=10) == END
            assert (await websocket.receive(timeout=10)).data == aiohttp.WSCloseCode.OK

    run(check)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {RAY_AUTHORIZATION: "Bearer wrong"},
        {"Authorization": "Bearer the-key-of-the-platform"},
        {"Cookie": f"{COOKIE}={TOKEN}"},
    ],
)
def test_nobody_gets_in_who_shows_no_token_as_a_program_does(headers: dict[str, str]) -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(url, headers=headers)
        assert refused.value.status == HTTPStatus.UNAUTHORIZED

    run(check)


@pytest.mark.parametrize("name", ["gcs", "127.0.0.1:22", "client%2F..%2Fgcs", "Client", ""])
def test_nothing_else_is_reached(name: str) -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.ws_connect(url.removesuffix("client") + name, headers=SHOWN)

    run(check)


def test_a_request_that_is_no_websocket() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        async with client.get(url, headers=SHOWN) as answer:
            assert answer.status == HTTPStatus.UPGRADE_REQUIRED

    run(check)


def test_a_service_that_is_away() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(url, headers=SHOWN)
        assert refused.value.status == HTTPStatus.SERVICE_UNAVAILABLE

    run(check, f"127.0.0.1:{free_port()}")
