"""What all routes share: who may call, how bodies are read, how answers and errors are written."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web

from cai_deploy.local_workspace import queries, rules
from cai_deploy.local_workspace.lifecycle.applications import Applications
from cai_deploy.local_workspace.lifecycle.jobs import Jobs
from cai_deploy.local_workspace.lifecycle.projects import Projects
from cai_deploy.local_workspace.store import Record
from cai_deploy.local_workspace.workspace import Workspace

log = logging.getLogger("local_workspace.http")

WORKSPACE = web.AppKey("workspace", Workspace)
PROJECTS = web.AppKey("projects", Projects)
JOBS = web.AppKey("jobs", Jobs)
APPLICATIONS = web.AppKey("applications", Applications)

PROJECT = "/api/v2/projects/{project_id}"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def error_response(status: int, message: str, code: int | None = None) -> web.Response:
    """An error as the gateway writes it."""
    number = rules.GRPC_CODES.get(HTTPStatus(status), 2) if code is None else code
    return web.json_response({"error": message, "code": number, "message": message, "details": []}, status=int(status))


def carries_key(request: web.Request) -> bool:
    """Whether the request brings the workspace's key; compared in constant time."""
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(
        key.strip().encode(), request.app[WORKSPACE].api_key.encode()
    )


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse strangers, and turn every failure into an error body."""
    if not carries_key(request):
        return error_response(HTTPStatus.UNAUTHORIZED, "the API key is missing or not valid")
    try:
        return await handler(request)
    except rules.Refused as refusal:
        return error_response(refusal.status, refusal.message, refusal.code)
    except web.HTTPException as error:
        return error_response(error.status, error.reason)
    except (
        FileNotFoundError,
        NotADirectoryError,
        IsADirectoryError,
    ) as error:  # gone, or another thing, since we looked
        return error_response(HTTPStatus.NOT_FOUND, f"{Path(error.filename or '').name} not found")
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body; no body is an empty object."""
    data = await request.read()
    if not data.strip():
        return {}
    try:
        body = json.loads(data.decode(), parse_constant=_no_number)
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is JSON, but no text
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise rules.bad_request("the body is not a JSON object")
    return body


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def show(shown: Any) -> web.Response:
    """A success."""
    return web.json_response(shown)


def show_one(request: web.Request, record: Record) -> web.Response:
    """One object that somebody looked at."""
    request.app[WORKSPACE].delays.looked([record.id])
    return show(record.shown)


def show_page(request: web.Request, name: str, items: Sequence[dict[str, Any]], keys: Collection[str]) -> web.Response:
    """One page of a list, under the list's own name."""
    found, token = queries.page(request.query, items, keys)
    request.app[WORKSPACE].delays.looked(str(item.get("id", "")) for item in found)
    return show({name: found, "next_page_token": token})
