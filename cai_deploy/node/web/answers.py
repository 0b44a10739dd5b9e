"""Our own answers on the head's HTTP port: a plain function becomes what a route needs. It knows none of the questions.

A function runs in a thread, as it waits for Ray or for a disk, while the port has others to serve.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from cai_deploy.node.web.body import Refused

Handler = Callable[[web.Request], Awaitable[web.Response]]

LARGEST_BODY = 256 * 1024


def told_by(describe: Callable[[], Mapping[str, Any]]) -> Handler:
    """A GET that ``describe`` answers."""

    async def handle(request: web.Request) -> web.Response:  # noqa: ARG001
        return await _answer(describe)

    return handle


def done_by(act: Callable[[Any], Mapping[str, Any]]) -> Handler:
    """A POST that ``act`` answers, given the JSON of the body. What raises Refused is answered with its status."""

    async def handle(request: web.Request) -> web.Response:
        try:
            data = await _json(request)
        except Refused as refused:
            return _error(refused.status, refused.why)
        return await _answer(lambda: act(data))

    return handle


async def _answer(function: Callable[[], Mapping[str, Any]]) -> web.Response:
    try:
        return web.json_response(dict(await asyncio.to_thread(function)))
    except Refused as refused:
        return _error(refused.status, refused.why)
    except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
        return _error(HTTPStatus.SERVICE_UNAVAILABLE, f"{type(error).__name__}: {error}")


async def _json(request: web.Request) -> Any:
    # A page of another site can make a browser send plain text or a form with the person's login, but no JSON.
    if request.content_type != "application/json":
        raise Refused(HTTPStatus.BAD_REQUEST, "the body must be of the type application/json")
    try:
        return await request.clone(client_max_size=LARGEST_BODY).json()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body is above {LARGEST_BODY} bytes") from error
    except (ValueError, LookupError, RecursionError) as error:  # LookupError: a charset that there is not
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from error


def _error(status: HTTPStatus, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status)
