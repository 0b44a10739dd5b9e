"""What the machine offers: runtimes, addons, sizes, and the accelerators that the settings pretend to."""

from __future__ import annotations

import os
from typing import Any

from aiohttp import web

from cai_deploy.local_workspace import queries
from cai_deploy.local_workspace.routes.http import WORKSPACE, show, show_page
from cai_deploy.local_workspace.runtimes import ADDONS

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
    """GET nodelabels: none, unless the settings say that there are GPUs."""
    queries.flag(request.query, "display_all")
    gpus = request.app[WORKSPACE].settings.gpus
    used = int(request.app[WORKSPACE].quota.used()["gpu"])
    label = {
        "id": "1",
        "label_key": "nvidia.com/gpu.product",
        "label_value": "local",
        "availability": used < gpus,
        "max_gpu_count": str(gpus),
        "current_gpu_count": str(gpus),
        "max_gpu_per_workload": str(gpus),
        "created_at": None,
        "updated_at": None,
        "default_quota": "0",
        "resource_group_id": "2",
        "cpu": float(os.cpu_count() or 1),
        "memory": float(_memory() // _GIB),
        "gpu_memory": 0.0,
    }
    labels = [label] if gpus else []
    return show_page(request, "accelerator_node_label", labels, {"id", "label_key", "resource_group_id"})


async def list_groups(request: web.Request) -> web.Response:
    """GET resourcegroups: this machine; once more with GPUs where the settings say that there are some."""
    gpus = request.app[WORKSPACE].settings.gpus
    groups = [_group(1, "local", 0), *([_group(2, "local-gpu", gpus)] if gpus else [])]
    # This list alone is asked with operators: {"gpu_count": "gt:0"}.
    asked = queries.value_of(request.query, "search_filter")
    groups = [dict(each) for each in queries.compared(groups, asked, {"gpu_count", "allow_jobs"})]
    rest = {name: text for name, text in request.query.items() if name not in {"search_filter", "searchFilter"}}
    found, token = queries.page(rest, groups, ())
    return show({"resource_group": found, "next_page_token": token})


def _group(number: int, name: str, gpus: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "instance_group_name": name,
        "instance_type": os.uname().machine,
        "cpu_count": os.cpu_count() or 1,
        "gpu_count": str(gpus),
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


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


ROUTES = [
    web.get("/api/v2/runtimes", list_runtimes),
    web.get("/api/v2/runtimeaddons", list_addons),
    web.get("/api/v2/nodelabels", list_labels),
    web.get("/api/v2/resourcegroups", list_groups),
    web.get("/api/v2/cpuprofiles", list_profiles),
]
