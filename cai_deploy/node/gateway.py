"""The head's HTTP port: our own few answers, and everything else passed through to Ray's dashboard.

Both ways are streamed and websockets are joined, so that uploads, downloads and log tails of any size pass. It runs
in a thread with a loop of its own; aiohttp is imported only here, after Ray has been started, as it takes a quarter
second.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from cai_deploy.errors import DeployError

HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
}
NOBODY = 503


class PortRefused(DeployError):
    """Our HTTP port could not be opened."""


class Gateway:
    """Passes requests to ``dashboard`` (a base URL); ``describe`` answers for /cai-deploy/nodes."""

    def __init__(self, dashboard: str, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._dashboard = dashboard
        self._describe = describe
        self._session: aiohttp.ClientSession | None = None

    def serve(self, port: int) -> None:
        """Listen on ``port`` from a thread of its own. Raises PortRefused when it cannot be opened."""
        opened: Future[None] = Future()
        threading.Thread(target=lambda: asyncio.run(self._run(port, opened)), daemon=True, name="gateway").start()
        try:
            opened.result()
        except OSError as error:
            raise PortRefused(
                f"the HTTP port {port} cannot be opened",
                why=str(error),
                next_step="end the program that holds it, or set CDSW_APP_PORT to a free port",
            ) from error

    async def _run(self, port: int, opened: Future[None]) -> None:
        application = web.Application(client_max_size=0)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/cai-deploy/nodes", self._nodes)
        application.router.add_route("*", "/{path:.*}", self._pass)
        # Answers are handed on as they came, so nothing may be unpacked on the way.
        self._session = aiohttp.ClientSession(
            auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None, connect=5)
        )
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 (the platform's proxy comes from outside)
        except OSError as error:
            opened.set_exception(error)
            return
        opened.set_result(None)
        await asyncio.Event().wait()

    async def _healthz(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.json_response({"status": "ok"})

    async def _nodes(self, request: web.Request) -> web.Response:  # noqa: ARG002
        try:
            return web.json_response(await asyncio.to_thread(self._describe))
        except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=NOBODY)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None  # noqa: S101 (made before the first request)
        url = URL(self._dashboard + request.raw_path, encoded=True)
        headers = passed_headers(request.headers)
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._join_websockets(request, url, headers)
            body = request.content if request.body_exists else None
            async with self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                return await _hand_on(request, answer)
        except aiohttp.WSServerHandshakeError as error:
            return web.json_response({"error": error.message}, status=error.status)
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError):
            return web.json_response({"error": "Ray's dashboard does not answer yet"}, status=NOBODY)

    async def _join_websockets(self, request: web.Request, url: URL, headers: dict[str, str]) -> web.StreamResponse:
        assert self._session is not None  # noqa: S101
        kept = {name: value for name, value in headers.items() if not name.lower().startswith("sec-websocket")}
        async with self._session.ws_connect(url, headers=kept, max_msg_size=0) as inner:
            outer = web.WebSocketResponse(max_msg_size=0)
            await outer.prepare(request)
            ways = [asyncio.create_task(_copy(outer, inner)), asyncio.create_task(_copy(inner, outer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await outer.close()
            return outer


def passed_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that go on to the dashboard.

    Ray refuses a foreign ``Authorization`` even beside a right token in its own header, so that one stays here.
    """
    left_out = HOP_BY_HOP | ({"authorization"} if "X-Ray-Authorization" in headers else set())
    return {name: value for name, value in headers.items() if name.lower() not in left_out}


async def _hand_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP]
    response = web.StreamResponse(status=answer.status, reason=answer.reason)
    response.headers.extend(kept)
    length = answer.headers.get("Content-Length")
    if length:
        response.content_length = int(length)
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


async def _copy(
    source: web.WebSocketResponse[Any] | aiohttp.ClientWebSocketResponse[Any],
    target: web.WebSocketResponse[Any] | aiohttp.ClientWebSocketResponse[Any],
) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
