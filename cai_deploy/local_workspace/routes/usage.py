"""What workloads use and may use. There is one user, and all of it is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any

from aiohttp import web

from cai_deploy.local_workspace import queries, records, rules
from cai_deploy.local_workspace.routes.http import WORKSPACE, show
from cai_deploy.local_workspace.store import Record

APPLICATION, JOB = "Application", "Job"
STATUSES = sorted({state.partition("_")[2].capitalize() for state in rules.KNOWN_STATES})
_KEYS = {"name", "creator", "group", "project_name", "workload_type", "status"}
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


async def list_usage(request: web.Request) -> web.Response:
    """GET usage: applications and runs, newest first unless sorted otherwise."""
    workspace = request.app[WORKSPACE]
    projects = {record.id: record for record in workspace.store.list("project")}
    names = {record.id: record.shown["name"] for record in workspace.store.list("job")}
    found = []
    for kind, type_name in (("application", APPLICATION), ("run", JOB)):
        for record in workspace.store.list(kind):
            if owner := projects.get(record.project_id):
                name = names.get(record.inner["job_id"], "") if kind == "run" else record.shown["name"]
                extra = {
                    "name": name,
                    "exit_code": record.inner.get("exit_code"),
                    "project_number": owner.inner.get("number", 0),
                    "url": _url(workspace.port, record),
                }
                found.append(records.usage(type_name, record.shown, owner.shown, extra))
    found.sort(key=lambda each: str(each["created_at"]), reverse=True)
    found = [each for each in found if _is_meant(request.query, each)]
    page, token = queries.page(request.query, found, _KEYS)
    count = len(queries.filtered(found, queries.value_of(request.query, "search_filter"), _KEYS))
    return show({"usage_response": page, "total_count": str(count), "next_page_token": token})


def _url(port: int, record: Record) -> str:
    return f"http://{record.shown['subdomain']}.localhost:{port}" if "subdomain" in record.shown else ""


def _is_meant(query: Mapping[str, str], usage: Mapping[str, Any]) -> bool:
    columns = queries.json_object(query, "multi_column_search_filter")
    text = str(columns.get("project_or_workload_name", ""))
    if text not in usage["name"] and text not in usage["project_name"]:
        return False
    times = queries.json_object(query, "time_range_search_filter").get("created_time") or {}
    if not isinstance(times, dict):
        raise rules.bad_request("Problem with field TimeRangeSearchFilter: created_time needs min and max")
    created = records.read(usage["created_at"])
    earliest, latest = _moment(times.get("min")), _moment(times.get("max"))
    return (earliest is None or earliest <= created) and (latest is None or created <= latest)


def _moment(text: object) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(str(text), _TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        raise rules.bad_request("Problem with field TimeRangeSearchFilter: YYYY-MM-DD HH:MM:SS is expected") from None


async def list_statuses(_: web.Request) -> web.Response:
    """GET workloadstatus."""
    return show({"workload_status": STATUSES})


async def list_types(_: web.Request) -> web.Response:
    """GET workloadtypes."""
    return show({"workload_type": [APPLICATION, JOB]})


async def list_executions(_: web.Request) -> web.Response:
    """GET workloads/executions: only for a role that no ordinary key has."""
    raise rules.Refused(HTTPStatus.FORBIDDEN, "User is not an observability machine user")


async def list_quotas(request: web.Request) -> web.Response:
    """GET usersquota: what is held, and the limits; no limit is an empty text."""
    workspace = request.app[WORKSPACE]
    quota = {
        "user": {
            "id": 1,
            "html_url": "",
            "url": "",
            "name": records.USER["name"],
            "user_name": records.USER["username"],
        },
        "quota_usage": _amounts(workspace.quota.used()),
        "quota_configured": _amounts(workspace.settings.quota),
    }
    # What can be asked for is not shown: whether the user is barred.
    askable = [{**quota, "username": records.USER["username"], "banned": False, "deactivated": False}]
    found, token = queries.page(request.query, askable, {"banned", "deactivated"})
    count = len(queries.filtered(askable, queries.value_of(request.query, "search_filter"), {"banned", "deactivated"}))
    return show({"user_quota": [quota] if found else [], "next_page_token": token, "total_count": str(count)})


def _amounts(amounts: Mapping[str, float | None]) -> dict[str, str]:
    named = {"cpu": amounts["cpu"], "memory": amounts["memory"], "nvidia_gpu": amounts["gpu"]}
    return {name: "" if value is None else f"{value:g}" for name, value in named.items()}


ROUTES = [
    web.get("/api/v2/usage", list_usage),
    web.get("/api/v2/workloadstatus", list_statuses),
    web.get("/api/v2/workloadtypes", list_types),
    web.get("/api/v2/workloads/executions", list_executions),
    web.get("/api/v2/usersquota", list_quotas),
]
