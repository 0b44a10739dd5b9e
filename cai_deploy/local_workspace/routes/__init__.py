"""The API's paths: read a request, ask the rules, hand over to a life-cycle, show a record. No decisions in here."""

from __future__ import annotations

from aiohttp import web

from cai_deploy.local_workspace.routes import applications, files, jobs, local, projects, runtimes, usage


def all_routes() -> list[web.RouteDef]:
    """Every route of the workspace."""
    rooms = (projects, files, jobs, applications, runtimes, usage, local)
    return [route for room in rooms for route in room.ROUTES]
