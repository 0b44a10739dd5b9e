"""Where a visitor of the console comes in. Cheap on purpose: the house behind it is built at the first knock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from cai_deploy.local_workspace.console.desk import Desk
    from cai_deploy.local_workspace.routes.http import Handler


def door() -> Middleware:
    """A middleware for the console's paths; all others are none of its business."""
    desk: Desk | None = None

    @web.middleware
    async def console(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal desk
        if request.path not in ("/", "/login", "/logout", "/console") and not request.path.startswith("/console/"):
            return await handler(request)
        if desk is None:
            from cai_deploy.local_workspace.console.desk import Desk

            desk = Desk(request.app)
        return await desk.answer(request)

    return console
