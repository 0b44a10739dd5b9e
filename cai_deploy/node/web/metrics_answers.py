"""The routes of the nodes' metrics on the head's HTTP port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import aiohttp
from aiohttp import web

from cai_deploy.node.view.metrics import CONTENT_TYPE, PATH, TARGETS, Metrics, NoSuchNode

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MetricsAnswers:
    """Answers with what ``metrics`` reads."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def routes(self) -> dict[str, Handler]:
        """What answers at which path."""
        return {"/metrics": self._all, TARGETS: self._targets, f"{PATH}/{{node}}": self._one}

    async def _all(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return await _text(self._metrics.of_all)

    async def _one(self, request: web.Request) -> web.Response:
        return await _text(lambda: self._metrics.of_node(request.match_info["node"]))

    async def _targets(self, request: web.Request) -> web.Response:
        host = request.headers.get("X-Forwarded-Host", request.host)
        scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
        try:
            return web.json_response(await self._metrics.targets(host, scheme))
        except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            return _away(error)


async def _text(read: Callable[[], Awaitable[str]]) -> web.Response:
    try:
        return web.Response(body=(await read()).encode(), headers={"Content-Type": CONTENT_TYPE})
    except NoSuchNode as error:
        return web.json_response({"error": f"no node {error} is alive"}, status=HTTPStatus.NOT_FOUND)
    except (aiohttp.ClientError, TimeoutError) as error:
        why = f"the node does not tell: {error or type(error).__name__}"
        return web.json_response({"error": why}, status=HTTPStatus.BAD_GATEWAY)
    except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
        return _away(error)


def _away(error: Exception) -> web.Response:
    return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=HTTPStatus.SERVICE_UNAVAILABLE)
