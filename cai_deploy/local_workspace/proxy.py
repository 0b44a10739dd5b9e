"""Brings requests for ``<subdomain>.localhost`` to the application's port in its pod, as the ingress of a workspace.

Bodies stream both ways and websockets pass. The workspace's key opens the door, or the cookie of a browser that comes
from the console; both stay outside: the application never sees them. It knows nothing of the API.
"""

from __future__ import annotations

import asyncio
import ipaddress
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from cai_deploy.local_workspace import handoff
from cai_deploy.local_workspace.pods import HOST_ADDRESS, PodUnreachable
from cai_deploy.local_workspace.routes.http import APPLICATIONS, WORKSPACE, Handler, carries_key, error_response
from cai_deploy.local_workspace.store import Record
from cai_deploy.local_workspace.workloads import PodNote

_HOP_BY_HOP = {
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_WEBSOCKET = {"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol"}
_UNTOUCHED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@web.middleware
async def ingress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Requests whose host is an application's go there, all others to the API."""
    subdomain = _first_label(request.host)
    if subdomain is None:
        return await handler(request)
    record = _application(request, subdomain)
    if record is None:
        if request.host.partition(":")[0].endswith(".localhost"):
            return error_response(HTTPStatus.NOT_FOUND, f"there is no application at '{subdomain}'")
        return await handler(request)
    if not record.shown["bypass_authentication"] and not carries_key(request):
        refused = handoff.refusal(request, subdomain)
        if refused is not None:
            return refused
    pod = request.app[APPLICATIONS].pod_of(record)
    if pod is None or record.shown["status"] != "APPLICATION_RUNNING":
        return _unavailable(subdomain, record.shown["status"])
    try:
        return await _forward(request, pod)
    except (PodUnreachable, aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError) as error:
        return _unavailable(subdomain, str(error))


class _Passed(web.StreamResponse):
    """An application's answer; ``untyped`` when it did not say of what type it is."""

    untyped = False


async def leave_untyped(request: web.Request, response: web.StreamResponse) -> None:  # noqa: ARG001
    """Take away the type that aiohttp gives an answer without one: a browser would save such a page as a file."""
    if isinstance(response, _Passed) and response.untyped:
        response.headers.popall("Content-Type", None)


def _first_label(host: str) -> str | None:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        label, dot, _ = name.partition(".")
        return label.lower() if dot else None
    return None


def _application(request: web.Request, subdomain: str) -> Record | None:
    return next(iter(request.app[WORKSPACE].store.matching("application", "shown", "subdomain", subdomain)), None)


def _unavailable(subdomain: str, why: str) -> web.Response:
    return error_response(HTTPStatus.SERVICE_UNAVAILABLE, f"application '{subdomain}' does not answer: {why}")


async def _forward(request: web.Request, pod: PodNote) -> web.StreamResponse:
    made = await request.app[WORKSPACE].pods.socket_into(pod.name)
    made.setblocking(False)
    connector = aiohttp.TCPConnector(socket_factory=lambda _: made, force_close=True)
    url = URL(f"http://{HOST_ADDRESS}:{pod.port}{request.raw_path}", encoded=True)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    try:
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await _websocket(request, session, url)
            return await _plain(request, session, url)
    finally:
        made.close()


def _headers(request: web.Request) -> list[tuple[str, str]]:
    dropped = _HOP_BY_HOP | {name.strip().lower() for name in request.headers.get("Connection", "").split(",")}
    if carries_key(request):
        dropped.add("authorization")
    cookies = [("Cookie", handoff.without_ours(value)) for value in request.headers.getall("Cookie", [])]
    kept = [(name, value) for name, value in request.headers.items() if name.lower() not in dropped | {"cookie"}]
    kept += [(name, value) for name, value in cookies if value]
    return [
        *kept,
        ("X-Forwarded-For", request.remote or ""),
        ("X-Forwarded-Host", request.host),
        ("X-Forwarded-Proto", "http"),
    ]


async def _plain(request: web.Request, session: aiohttp.ClientSession, url: URL) -> web.StreamResponse:
    async with session.request(
        request.method,
        url,
        headers=_headers(request),
        data=request.content if request.body_exists else None,
        allow_redirects=False,
        skip_auto_headers=_UNTOUCHED,
    ) as answer:
        response = _Passed(status=answer.status, reason=answer.reason)
        response.untyped = "Content-Type" not in answer.headers
        for name, value in answer.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                response.headers.add(name, value)
        await response.prepare(request)
        try:
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
        except aiohttp.ClientError:  # the head of the answer is out already: only a broken connection tells the truth
            if request.transport:
                request.transport.abort()
        return response


async def _websocket(request: web.Request, session: aiohttp.ClientSession, url: URL) -> web.StreamResponse:
    protocols = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if name.strip()]
    headers = [(name, value) for name, value in _headers(request) if name.lower() not in _WEBSOCKET]
    try:
        inner = await session.ws_connect(
            url, headers=dict(headers), protocols=protocols, max_msg_size=0, autoclose=False
        )
    except aiohttp.WSServerHandshakeError as error:
        return error_response(error.status, f"the application refused the websocket: {error.message}")
    outer = web.WebSocketResponse(protocols=[inner.protocol] if inner.protocol else (), max_msg_size=0, autoclose=False)
    await outer.prepare(request)
    pumps = {asyncio.create_task(_pump(inner, outer)), asyncio.create_task(_pump(outer, inner))}
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        await inner.close(code=_sendable(outer.close_code))
        await outer.close(code=_sendable(inner.close_code))
    return outer


def _sendable(code: int | None) -> int:
    """A close code that may be put into a frame; some only name what was observed."""
    return 1001 if code in {None, 1005, 1006, 1015} else int(code or 1001)


async def _pump(source: Any, target: Any) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
