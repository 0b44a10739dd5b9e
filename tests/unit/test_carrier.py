"""TCP over a websocket, between real sockets: whole, by halves, under pressure, and broken off."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from cai_deploy.carrier import LARGEST_MESSAGE, Pace, carry
from cai_deploy.node.web.tunnel import PATH, Tunnel

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MEGABYTE = 1024 * 1024


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def tunnelled(serve: Serve, pace: Pace | None = None) -> AsyncIterator[tuple[int, list[bool]]]:
    """A port that leads to ``serve`` through a websocket, and whether each connection came to its end whole."""
    behind = await asyncio.start_server(serve, "127.0.0.1", 0)
    application = web.Application()
    address = f"127.0.0.1:{behind.sockets[0].getsockname()[1]}"
    application.router.add_route("*", PATH, Tunnel({"client": address}).join)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://{}:{}/cai-deploy/tunnel/client".format(*runner.addresses[0])
    ends: list[bool] = []
    tasks: set[asyncio.Task[None]] = set()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        websocket = await session.ws_connect(url, max_msg_size=LARGEST_MESSAGE)
        ends.append(await carry(websocket, reader, writer, pace))

    def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(join(reader, writer))
        tasks.add(task)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        before = await asyncio.start_server(joined, "127.0.0.1", 0)
        try:
            yield before.sockets[0].getsockname()[1], ends
        finally:
            before.close()
            behind.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runner.cleanup()


async def through(port: int, content: bytes) -> bytes:
    """Send all, say that this was all, and read to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send() -> None:
        writer.write(content)
        await writer.drain()
        writer.write_eof()

    _, answer = await asyncio.gather(send(), reader.read(-1))
    writer.close()
    return answer


async def until(check: Callable[[], object]) -> None:
    while not check():  # ``run`` sets the deadline
        await asyncio.sleep(0.01)


def run(check: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(check(), 60)

    asyncio.run(bounded())


def test_megabytes_pass_both_ways_unharmed() -> None:
    async def check() -> None:
        async with tunnelled(echo) as (port, ends):
            content = os.urandom(8 * MEGABYTE)
            assert await through(port, content) == content
            await until(lambda: ends == [True])

    run(check)


def test_who_has_said_all_still_hears() -> None:
    async def sums_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hashlib.sha256(await reader.read(-1)).hexdigest().encode())
        writer.close()

    async def check() -> None:
        async with tunnelled(sums_up) as (port, _):
            assert await through(port, b"all of it") == hashlib.sha256(b"all of it").hexdigest().encode()

    run(check)


def test_the_other_side_may_end_first() -> None:
    heard: list[bytes] = []

    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.write_eof()
        heard.append(await reader.read(-1))
        writer.close()

    async def check() -> None:
        async with tunnelled(greets) as (port, ends):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read(-1) == b"hello"
            writer.write(b"late")
            writer.close()
            await until(lambda: heard == [b"late"])
            await until(lambda: ends == [True])

    run(check)


def test_a_hundred_at_once() -> None:
    async def check() -> None:
        async with tunnelled(echo) as (port, ends):
            contents = [os.urandom(20_000) for _ in range(100)]
            assert await asyncio.gather(*(through(port, content) for content in contents)) == contents
            await until(lambda: ends == [True] * 100)

    run(check)


def test_who_does_not_read_holds_back_who_writes_and_loses_nothing() -> None:
    written = 0

    async def pours(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        for _ in range(64):
            writer.write(bytes(MEGABYTE))
            await writer.drain()
            written += MEGABYTE
        writer.close()

    async def check() -> None:
        # Pings go on while nothing is read, and an end that is held back takes nobody for gone.
        async with tunnelled(pours, Pace(ping=0.05, silence=0.5)) as (port, ends):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            before = -1
            while written != before:
                before = written
                await asyncio.sleep(1.0)
            assert written < 40 * MEGABYTE, "the sockets on the way hold some, and nobody else does"
            assert len(await reader.read(-1)) == 64 * MEGABYTE
            writer.close()
            await until(lambda: ends == [True])

    run(check)


def test_a_program_that_dies_is_seen_at_the_other_end() -> None:
    ended: list[type[BaseException] | bytes] = []

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(10)
        except (OSError, asyncio.IncompleteReadError) as error:
            ended.append(type(error))
        writer.close()

    async def check() -> None:
        async with tunnelled(listens) as (port, ends):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"half")
            await writer.drain()
            writer.transport.abort()
            await until(lambda: ended and ends)

    run(check)


def test_a_websocket_that_breaks_breaks_the_connection_off() -> None:
    async def check() -> None:
        torn: list[web.WebSocketResponse] = []

        async def tears(request: web.Request) -> web.WebSocketResponse:
            websocket = web.WebSocketResponse()
            await websocket.prepare(request)
            torn.append(websocket)
            await websocket.send_bytes(b"half of it")
            await websocket.receive()
            assert request.transport
            request.transport.abort()
            return websocket

        assert await over(tears) == (b"half of it", False)
        assert torn

    run(check)


def test_an_end_that_says_nothing_any_more_is_taken_for_gone() -> None:
    async def hangs(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(autoping=False)
        await websocket.prepare(request)
        await asyncio.sleep(30)
        return websocket

    async def check() -> None:
        assert await over(hangs) == (b"", False)

    run(check)


def test_what_is_no_message_of_ours_ends_it() -> None:
    async def chats(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        await websocket.send_str("hello")
        await websocket.receive()
        return websocket

    async def check() -> None:
        assert (await over(chats))[1] is False

    run(check)


async def over(answer: Callable[[web.Request], Awaitable[web.WebSocketResponse]]) -> tuple[bytes, bool]:
    """What a program gets that is joined to ``answer``, and whether that was called whole."""
    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    whole: list[bool] = []

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        websocket = await session.ws_connect("http://{}:{}".format(*runner.addresses[0]), timeout=CLOSE)
        whole.append(await carry(websocket, reader, writer, Pace(ping=0.1, silence=1.0)))

    async with aiohttp.ClientSession() as session:
        before = await asyncio.start_server(join, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*before.sockets[0].getsockname())
        writer.write(b"go on")
        got = b""
        try:
            while piece := await reader.read(100):
                got += piece
        except ConnectionResetError:
            pass
        writer.close()
        await until(lambda: whole)
        before.close()
    await runner.cleanup()
    return got, whole[0]


CLOSE = aiohttp.ClientWSTimeout(ws_close=0.2)
