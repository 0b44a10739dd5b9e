"""What the workspace tells and takes beside the contract, below /local/v1: how it does, its settings, its reasons."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from cai_deploy.local_workspace import rules
from cai_deploy.local_workspace.routes.http import APPLICATIONS, WORKSPACE, body_of, show

BASE = "/local/v1"


async def status(request: web.Request) -> web.Response:
    """GET status: what ``cai_deploy local status`` shows."""
    workspace = request.app[WORKSPACE]
    applications, runs = workspace.store.states("application"), workspace.store.states("run")
    return show(
        {
            "applications_running": applications.get("APPLICATION_RUNNING", 0),
            "applications": sum(applications.values()),
            "applications_active": sum(
                applications[state] for state in applications.keys() - rules.APPLICATION_AT_REST
            ),
            "job_runs_running": sum(runs[state] for state in runs.keys() - rules.RUN_ENDS),
            "projects": len(workspace.store.list("project")),
            "pods_running": workspace.pods.running(),
            "pod_mode": workspace.pods.mode.value,
        }
    )


async def settings(request: web.Request) -> web.Response:
    """GET settings."""
    return show(request.app[WORKSPACE].settings.shown())


async def change_settings(request: web.Request) -> web.Response:
    """PATCH settings: the values that are sent; they hold from now on, for what waits already too."""
    workspace, body = request.app[WORKSPACE], await body_of(request)
    try:
        workspace.change_settings(workspace.settings.changed(body))
    except ValueError as error:
        raise rules.bad_request(str(error)) from None
    return show(workspace.settings.shown())


async def project(request: web.Request) -> web.Response:
    """GET projects/{id}: why its creation failed, which the contract has no field for."""
    record = request.app[WORKSPACE].require("project", request.match_info["project_id"])
    shown = {"id": record.id, "creation_status": record.shown["creation_status"]}
    return show({**shown, "reason": record.inner.get("reason", "")})


async def application(request: web.Request) -> web.Response:
    """GET applications/{id}: its pod, and the attempts that the workspace makes by itself."""
    record = request.app[WORKSPACE].require("application", request.match_info["application_id"])
    pod = request.app[APPLICATIONS].pod_of(record)
    shown: dict[str, Any] = {"id": record.id, "status": record.shown["status"]}
    shown |= {name: record.inner.get(name) for name in ("generation", "attempts", "retry_at", "exit_code")}
    return show({**shown, "pod": pod.name if pod else "", "address": pod.address if pod else ""})


ROUTES = [
    web.get(f"{BASE}/status", status),
    web.get(f"{BASE}/settings", settings),
    web.patch(f"{BASE}/settings", change_settings),
    web.get(f"{BASE}/projects/{{project_id}}", project),
    web.get(f"{BASE}/applications/{{application_id}}", application),
]
