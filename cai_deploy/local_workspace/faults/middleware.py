"""Spoils calls of the API: asks the ledger about each one and carries out the verdict.

Only ``/api/`` is ever spoiled: the admin endpoint and the console must work on the worst of days. It knows no rules;
which call is spoiled, and when, is decided in ``ledger``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from http import HTTPStatus
from typing import Any

from aiohttp import web

from cai_deploy.local_workspace.faults.ledger import Faults
from cai_deploy.local_workspace.faults.matching import Call
from cai_deploy.local_workspace.faults.rules import Kind, Rule
from cai_deploy.local_workspace.routes.http import WORKSPACE, Handler, error_response

_PROXY_PAGE = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_NO_ROUTE = "(no such route)"  # all of them together: whoever guesses paths must not fill the memory
_numbers = itertools.count(1)


@web.middleware
async def misfortune(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Stands where the gateway of a workspace stands: before the key is looked at."""
    if not request.path.startswith("/api/"):
        return await handler(request)
    faults = request.app[WORKSPACE].faults
    resource = request.match_info.route.resource
    rule = faults.on_call(Call(request.method, request.path, resource.canonical if resource else _NO_ROUTE))
    if rule is None:
        return _veiled(request, faults, await handler(request))
    return await _spoiled(request, handler, rule)


async def _spoiled(request: web.Request, handler: Handler, rule: Rule) -> web.StreamResponse:
    match rule.kind:
        case Kind.SLOW:
            await asyncio.sleep(rule.seconds)
            return await handler(request)
        case Kind.SLOW_AFTER:
            answer = await handler(request)
            await asyncio.sleep(rule.seconds)
            return answer
        case Kind.CUT_OFF:
            await _work_goes_on(request, handler, rule)
        case Kind.ERROR_AFTER | Kind.DROP_AFTER:
            await handler(request)
    if rule.kind in (Kind.DROP, Kind.DROP_AFTER):
        if request.transport:
            request.transport.close()
        return web.Response()  # for nobody: the connection is closed
    return _refusal(rule)


async def _work_goes_on(request: web.Request, handler: Handler, rule: Rule) -> None:
    """Return when the gateway's patience is over; the work may take longer, or only begin then (``lag``)."""
    if not request.content_type.startswith("multipart/"):
        await request.read()  # the connection may be gone before the work wants its body

    async def work() -> None:
        await asyncio.sleep(rule.lag)
        await handler(request)

    request.app[WORKSPACE].in_background(f"cut off call {next(_numbers)}", work())
    await asyncio.sleep(rule.seconds)


def _refusal(rule: Rule) -> web.Response:
    """The answer of a workspace that does not, or does not seem to, do what it was asked for."""
    match rule.kind:
        case Kind.HTML_502:
            return web.Response(status=HTTPStatus.BAD_GATEWAY, text=_PROXY_PAGE, content_type="text/html")
        case Kind.RATE_LIMIT:
            answer = error_response(HTTPStatus.TOO_MANY_REQUESTS, "too many requests", 8)
            answer.headers["Retry-After"] = str(rule.retry_after)
        case Kind.UNAUTHORIZED:
            answer = error_response(HTTPStatus.UNAUTHORIZED, "the API key is missing or not valid", 16)
        case Kind.FORBIDDEN:
            answer = error_response(HTTPStatus.FORBIDDEN, "not authorized to perform this operation", 7)
        case Kind.CUT_OFF:
            answer = error_response(HTTPStatus.INTERNAL_SERVER_ERROR, "context deadline exceeded", 4)
            answer.headers["x-envoy-upstream-service-time"] = str(round(rule.seconds * 1000))
        case _:
            answer = error_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error", 13)
    return answer


def _veiled(request: web.Request, faults: Faults, answer: web.StreamResponse) -> web.StreamResponse:
    """Runs whose state the workspace has lost sight of: the records keep the truth, only the answer does not."""
    if not any(standing.rule.kind is Kind.ENGINE_UNKNOWN for standing in faults.all()):
        return answer
    if not isinstance(answer, web.Response) or answer.content_type != "application/json" or answer.status != 200:
        return answer
    shown = json.loads(answer.text or "null")
    for run in _runs_in(shown):
        record = request.app[WORKSPACE].store.find("run", run["id"])
        if record and run["running_at"] and faults.strikes(Kind.ENGINE_UNKNOWN, record):
            run["status"] = "ENGINE_UNKNOWN"
    answer.text = json.dumps(shown)
    return answer


def _runs_in(shown: Any) -> list[dict[str, Any]]:
    if not isinstance(shown, dict):
        return []
    runs = shown.get("job_runs", [shown])
    return [run for run in runs if isinstance(run, dict) and {"id", "job_id", "running_at"} <= set(run)]
