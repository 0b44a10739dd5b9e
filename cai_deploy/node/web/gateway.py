"""The head's HTTP port: the cluster page and our own few answers, Ray's dashboard, and what Serve serves.

| path | what is there |
|---|---|
| ``/`` | the cluster page |
| ``/dashboard/…`` | Ray's dashboard, for browsers |
| ``/serve/…`` | what Ray Serve serves, without the prefix |
| ``/metrics``, ``/cai-deploy/…`` | our own answers |
| ``/healthz`` | that the head's agent lives, for everybody |
| all other paths | Ray's dashboard with its APIs, where Ray's own clients look for them |

The door is before all of it. This runs in a thread with a loop of its own; aiohttp is imported only here, after Ray has
been started, as it takes a quarter second.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web

from cai_deploy.errors import DeployError
from cai_deploy.node.gcs import Gcs
from cai_deploy.node.view.metrics import Metrics
from cai_deploy.node.web.answers import done_by, told_by
from cai_deploy.node.web.door import AUTHENTICATE, NOT_ADMITTED, SIGN_IN, SIGN_OUT, Door
from cai_deploy.node.web.guard import Guard
from cai_deploy.node.web.metrics_answers import MetricsAnswers
from cai_deploy.node.web.page import cluster_page
from cai_deploy.node.web.passing import Passing
from cai_deploy.node.web.ways import DASHBOARD, SERVE, Ways
from cai_deploy.node.web.web_page import excuse, html_answer

LONGEST_HEADER = 32 * 1024
"""Bytes, of the first line and of any header."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PortRefused(DeployError):
    """Our HTTP port could not be opened."""


@dataclass(frozen=True)
class OwnAnswers:
    """What is answered here. ``told`` answers GETs, and ``done`` POSTs; ``handled`` gets the requests themselves.

    What is done or handled is for programs alone, which show the token in a header; the rest is for people too.
    ``overview`` is what the cluster page shows; ``gcs`` knows whose metrics there are.
    """

    told: Mapping[str, Callable[[], Mapping[str, Any]]] = field(default_factory=dict)
    done: Mapping[str, Callable[[Any], Mapping[str, Any]]] = field(default_factory=dict)
    handled: Mapping[str, Handler] = field(default_factory=dict)
    overview: Callable[[], Mapping[str, Any]] = dict
    gcs: Gcs | None = None


class Gateway:
    """Lets those in whom ``guard`` admits, to ``own`` answers and along the ``ways`` behind it, of the ``cluster``."""

    def __init__(self, cluster: str, ways: Ways, own: OwnAnswers, guard: Guard) -> None:
        self._ways = ways
        self._own = own
        self._door = Door(guard, cluster)
        self._sign_out = "" if guard.open else SIGN_OUT

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
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            # Who goes away ends what was done for them. Bodies are handed on packed as they came.
            handler_cancellation=True,
            auto_decompress=False,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, "0.0.0.0", port, backlog=1024).start()  # noqa: S104 (the platform's proxy comes from outside)
        except OSError as error:
            opened.set_exception(error)
            return
        opened.set_result(None)
        await asyncio.Event().wait()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=0)
        routes = application.router
        routes.add_get("/healthz", _healthz)
        routes.add_post(SIGN_IN, self._door.sign_in)
        routes.add_post(SIGN_OUT, self._door.sign_out)
        for path in AUTHENTICATE:
            routes.add_post(path, self._door.authenticate)
        routes.add_get("/", self._for_all(self._page))
        for path, describe in self._own.told.items():
            routes.add_get(path, self._for_all(told_by(describe)))
        if self._own.gcs:
            for path, handle in MetricsAnswers(Metrics(self._own.gcs)).routes().items():
                routes.add_get(path, self._for_all(handle))
        for path, act in self._own.done.items():
            routes.add_post(path, self._for_programs(done_by(act)))
        for path, handle in self._own.handled.items():
            routes.add_route("*", path, self._for_programs(handle))
        for path in (DASHBOARD, SERVE):
            routes.add_get(path, self._for_all(_with_slash))
        passing = Passing(excuse)
        application.on_response_prepare.append(passing.prepare)

        async def pass_on(request: web.Request) -> web.StreamResponse:
            way = self._ways.of(request)
            if way is None:
                return web.json_response({"error": "this is no path"}, status=HTTPStatus.BAD_REQUEST)
            return await passing.pass_on(request, way)

        routes.add_route("*", "/{path:.*}", self._for_all(pass_on))
        return application

    def _for_all(self, handle: Handler) -> Handler:
        async def admit(request: web.Request) -> web.StreamResponse:
            return await self._door.refusal(request) or await handle(request)

        return admit

    def _for_programs(self, handle: Handler) -> Handler:
        async def admit(request: web.Request) -> web.StreamResponse:
            if not self._door.shown_by_program(request):
                return web.json_response({"error": NOT_ADMITTED}, status=HTTPStatus.UNAUTHORIZED)
            return await handle(request)

        return admit

    async def _page(self, request: web.Request) -> web.StreamResponse:
        try:
            facts = await asyncio.to_thread(self._own.overview)
        except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            return excuse(request, HTTPStatus.SERVICE_UNAVAILABLE, f"Ray does not answer: {type(error).__name__}")
        return html_answer(cluster_page(facts, self._sign_out))


async def _healthz(request: web.Request) -> web.StreamResponse:  # noqa: ARG001
    return web.json_response({"status": "ok"})


async def _with_slash(request: web.Request) -> web.StreamResponse:
    """Links of a page are relative to its directory."""
    place = f"{request.path.rpartition('/')[2]}/"
    return web.Response(status=HTTPStatus.PERMANENT_REDIRECT, headers={"Location": place})
