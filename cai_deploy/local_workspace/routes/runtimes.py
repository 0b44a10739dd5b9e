"""What the machine offers: runtimes, addons, sizes; and, outside of the contract, how the workspace itself does."""

from __future__ import annotations

import os
from typing import Any

from aiohttp import web

from cai_deploy.local_workspace import rules
from cai_deploy.local_workspace.routes.http import WORKSPACE, show, show_page
from cai_deploy.local_workspace.runtimes import ADDONS

STATUS_PATH = "/local/v1/status"
_GIB = 1 << 30


async def list_runtimes(request: web.Request) -> web.Response:
    """GET runtimes."""
    offered = [runtime.shown() for runtime in await request.app[WORKSPACE].runtimes()]
    keys = {"image_identifier", "editor", "kernel", "edition", "description", "full_version"}
    return show_page(request, "runtimes", offered, keys)


async def list_addons(request: web.Request) -> web.Response:
    """GET runtimeaddons."""
    addons = [
        {
            "identifier": name,
            "component": "HadoopCLI",
            "display_name": name,
            "status": "AVAILABLE",
            "manageable": False,
            "created_at": None,
            "id": number,
            "reason": "",
        }
        for number, name in enumerate(ADDONS, start=1)
    ]
    return show_page(request, "runtime_addons", addons, {"identifier", "component", "display_name", "status"})


async def list_labels(request: web.Request) -> web.Response:
    """GET nodelabels: no accelerators here."""
    return show_page(request, "accelerator_node_label", [], {"id", "label_key", "resource_group_id"})


async def list_groups(request: web.Request) -> web.Response:
    """GET resourcegroups: this machine."""
    group = {
        "id": 1,
        "name": "local",
        "instance_group_name": "local",
        "instance_type": os.uname().machine,
        "cpu_count": os.cpu_count() or 1,
        "gpu_count": "0",
        "memory_in_gib": _memory() // _GIB,
        "gpumemory_in_gib": "0",
        "gpu_model": "",
        "gpu_type": "",
        "allow_jobs": True,
        "allow_sessions": False,
        "allow_models": False,
        "allow_applications": True,
        "autoscale_min": 1,
        "autoscale_max": 1,
        "rg_updated_at": None,
    }
    # This list is asked with operators: {"gpu_count": "gt:0"} wants accelerators, and there are none.
    asked = request.query.get("search_filter", request.query.get("searchFilter", ""))
    wants_accelerators = "gt:" in asked or "isnull:false" in asked or "eq:false" in asked
    return show({"resource_group": [] if wants_accelerators else [group], "next_page_token": ""})


async def list_profiles(request: web.Request) -> web.Response:
    """GET cpuprofiles: the sizes that fit this machine."""
    sizes = [(1, 2), (2, 4), (4, 8), (8, 16)]
    most_memory = max(2, _memory() // _GIB)
    profiles: list[dict[str, Any]] = [
        {"id": number, "cpu": cpu, "memory": memory, "resource_group_id": 1}
        for number, (cpu, memory) in enumerate(sizes, start=1)
        if number == 1 or (cpu <= (os.cpu_count() or 1) and memory <= most_memory)
    ]
    return show_page(request, "cpu_resource_profiles", profiles, {"id", "resource_group_id"})


async def status(request: web.Request) -> web.Response:
    """GET /local/v1/status: what ``cai_deploy local status`` shows. Not part of the contract."""
    workspace = request.app[WORKSPACE]
    applications = [record.shown["status"] for record in workspace.store.list("application")]
    runs = [record.shown["status"] for record in workspace.store.list("run")]
    return show(
        {
            "applications_running": applications.count("APPLICATION_RUNNING"),
            "applications": len(applications),
            "applications_active": sum(state not in rules.APPLICATION_AT_REST for state in applications),
            "job_runs_running": sum(state not in rules.RUN_ENDS for state in runs),
            "projects": len(workspace.store.list("project")),
            "pods_running": workspace.pods.running(),
            "pod_mode": workspace.pods.mode.value,
        }
    )


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


ROUTES = [
    web.get("/api/v2/runtimes", list_runtimes),
    web.get("/api/v2/runtimeaddons", list_addons),
    web.get("/api/v2/nodelabels", list_labels),
    web.get("/api/v2/resourcegroups", list_groups),
    web.get("/api/v2/cpuprofiles", list_profiles),
    web.get(STATUS_PATH, status),
]
