"""Passes requests on to a program behind the gateway, both ways as a stream, websockets too. It knows no path.

Nothing is kept on the way: a body of any size takes the memory of one piece of it, and who reads slowly slows down who
writes. Only the beginning has time limits, as a log tail may say nothing for hours. Who goes away in the midst ends the
request behind, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from cai_deploy.node.web.headers import answer_headers, is_websocket, without_handshake

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5.0
KEPT_OPEN = 4.0
"""Seconds for which a connection waits for its next request: less than the 5 after which uvicorn closes one."""

PIECE = 256 * 1024
LONGEST_HEADER = 64 * 1024
LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes. A websocket's message is the one thing that is held whole."""

OUR_OWN = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""What aiohttp would add of itself."""

Excuse = Callable[[web.Request, HTTPStatus, str], web.Response]


@dataclass(frozen=True)
class Passage:
    """One request on its way to ``url``, with ``headers``. ``prefix`` was cut off its path.

    ``behind`` and ``absent`` name for people what is there, and say what it means that it is not.
    """

    url: URL
    headers: CIMultiDict[str]
    behind: str
    prefix: str = ""
    absent: str = "it does not answer yet"


class Piecemeal(web.StreamResponse):
    """An answer from behind, as it comes. ``untyped`` when nobody there said of what type it is."""

    untyped = False


class Whole(web.Response):
    """An answer from behind that has come."""

    untyped = False


class Passing:
    """Use within the loop that made it. ``excuse`` words the answer where there is none to hand on.

    ``session`` is for a way that needs more than a connection; it has to hand on answers as they came, too.
    """

    def __init__(self, excuse: Excuse, session: aiohttp.ClientSession | None = None) -> None:
        self._excuse = excuse
        self._session = session or aiohttp.ClientSession(
            # Answers are handed on as they came, so nothing may be unpacked, kept or counted on the way.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_OPEN),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
            read_bufsize=PIECE,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )

    async def close(self) -> None:
        """Let go of all connections."""
        await self._session.close()

    async def pass_on(self, request: web.Request, way: Passage) -> web.StreamResponse:
        """The answer from behind, or the excuse for there being none."""
        passed = self._joined if is_websocket(request.headers) else self._streamed
        return await self._excused(request, way, passed)

    @staticmethod
    async def prepare(request: web.Request, response: web.StreamResponse) -> None:  # noqa: ARG004
        """Take away what aiohttp adds of itself when an answer begins: a type that nobody gave it."""
        if isinstance(response, Piecemeal | Whole) and response.untyped:
            response.headers.popall("Content-Type", None)

    async def _excused(
        self,
        request: web.Request,
        way: Passage,
        passed: Callable[[web.Request, Passage], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        try:
            return await passed(request, way)
        except aiohttp.ClientConnectorError:
            return self._excuse(request, HTTPStatus.SERVICE_UNAVAILABLE, f"{way.behind}: {way.absent}")
        except (aiohttp.ConnectionTimeoutError, aiohttp.SocketTimeoutError):
            return self._excuse(request, HTTPStatus.GATEWAY_TIMEOUT, f"{way.behind} takes no connection")
        except aiohttp.WSServerHandshakeError as error:
            return self._excuse(request, HTTPStatus(error.status), f"{way.behind} refused the websocket")
        except aiohttp.ClientError as error:
            log.info("%s %s: %s", request.method, way.behind, error)
            return self._excuse(request, HTTPStatus.BAD_GATEWAY, f"{way.behind} broke off without an answer")

    async def _streamed(self, request: web.Request, way: Passage) -> web.StreamResponse:
        async with self._session.request(
            request.method,
            way.url,
            headers=way.headers,
            data=request.content if request.body_exists else None,
            allow_redirects=False,
            skip_auto_headers=OUR_OWN,
        ) as answer:
            hosts = (way.headers.get("Host", ""), way.url.authority)
            headers = answer_headers(answer.headers, way.prefix, hosts)
            told: dict[str, Any] = {"status": answer.status, "reason": answer.reason, "headers": headers}
            if answer.content.is_eof() and request.method != hdrs.METH_HEAD:
                # It is all there: then it leaves in one piece.
                whole = Whole(body=answer.content.read_nowait(), **told)
                whole.untyped = hdrs.CONTENT_TYPE not in headers
                return whole
            response = Piecemeal(**told)
            response.untyped = hdrs.CONTENT_TYPE not in headers
            await response.prepare(request)
            try:
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
            except aiohttp.ClientError:
                # The head of the answer is out: only a broken connection says that it is not whole.
                if request.transport:
                    request.transport.abort()
            return response

    async def _joined(self, request: web.Request, way: Passage) -> web.StreamResponse:
        wanted = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        async with self._session.ws_connect(
            way.url,
            headers=without_handshake(way.headers),
            protocols=[name.strip() for name in wanted if name.strip()],
            max_msg_size=LARGEST_MESSAGE,
            autoclose=False,
            autoping=False,
        ) as inner:
            outer = web.WebSocketResponse(
                protocols=[inner.protocol] if inner.protocol else (),
                max_msg_size=LARGEST_MESSAGE,
                autoclose=False,
                autoping=False,
                compress=False,
            )
            await outer.prepare(request)
            await join(outer, inner)
            return outer


async def join(outer: Any, inner: Any) -> None:
    """Hand on what each of two websockets says, pings too, until one of them ends; then end the other as it did."""
    ways = [asyncio.create_task(_copy(outer, inner)), asyncio.create_task(_copy(inner, outer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await inner.close(code=_sendable(outer.close_code))
        await outer.close(code=_sendable(inner.close_code))


async def _copy(source: Any, target: Any) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.PING:
            await target.ping(message.data)
        elif message.type is aiohttp.WSMsgType.PONG:
            await target.pong(message.data)


def _sendable(code: int | None) -> int:
    """A close code that may be put into a frame; some only name what was observed."""
    return 1001 if code in {None, 1005, 1006, 1015} else int(code or 1001)
