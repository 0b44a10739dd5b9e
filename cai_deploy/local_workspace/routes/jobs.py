"""Jobs and their runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from cai_deploy.local_workspace import changes, cron, queries, records, rules
from cai_deploy.local_workspace.routes.http import JOBS, PROJECT, WORKSPACE, body_of, show, show_one, show_page
from cai_deploy.local_workspace.runtimes import ADDONS
from cai_deploy.local_workspace.store import Record, new_id

_KEYS = {"description", "kernel", "name", "paused", "script", "type", *queries.CREATOR_KEYS}
_RUN_KEYS = {*_KEYS, "status", "id"}
_NEW: dict[str, rules.Kind] = {
    **dict.fromkeys(records.JOB_STRINGS, rules.text),
    **dict.fromkeys(records.JOB_NUMBERS, rules.integer),
    **dict.fromkeys(records.JOB_FLAGS, rules.flag),
    "cpu": rules.amount,
    "memory": rules.amount,
    "nvidia_gpu": rules.count,
    "max_retry": rules.count,
    "retry_delay": rules.count,
    "timeout": rules.count,
    "paused": rules.flag,
    "timezone": rules.text,
    "parent_id": rules.text,
    "parent_job_id": rules.text,
    "accelerator_label_id": rules.decimal_or_number,
    "recipients": rules.recipients,
    "attachments": rules.texts,
    "runtime_addon_identifiers": rules.texts,
}
JOB = f"{PROJECT}/jobs/{{job_id:[^/:]+}}"


def _project(request: web.Request) -> Record:
    return request.app[WORKSPACE].require("project", request.match_info["project_id"])


def _job(request: web.Request) -> Record:
    project = _project(request)
    rules.check_id("JobId", request.match_info["job_id"])
    return request.app[WORKSPACE].require("job", request.match_info["job_id"], project.id)


def _run(request: web.Request) -> Record:
    job = _job(request)
    run = request.app[WORKSPACE].require("run", request.match_info["run_id"], job.project_id)
    if run.inner["job_id"] != job.id:
        raise rules.not_found(f"run {run.id}")
    return run


def _check_parent(request: web.Request, project: Record, body: Mapping[str, Any], own: str = "") -> None:
    parent = body.get("parent_id") or body.get("parent_job_id")
    seen = {own}
    while parent:
        if parent in seen:
            raise rules.bad_request("Problem with field ParentId: a job cannot depend on itself")
        seen.add(parent)
        rules.check_id("ParentId", parent)
        parent = request.app[WORKSPACE].require("job", parent, project.id).shown["parent_id"]


async def _check_runtime(request: web.Request, body: Mapping[str, Any]) -> None:
    offered = await request.app[WORKSPACE].runtimes()
    rules.check_runtime(body, {runtime.identifier for runtime in offered})


async def list_all(request: web.Request) -> web.Response:
    """GET jobs, of every project. This list alone cannot be sorted."""
    jobs = [job.shown for job in request.app[WORKSPACE].store.list("job")]
    found, token = queries.page({**request.query, "sort": ""}, jobs, _KEYS)
    return show({"jobs": found, "next_page_token": token})


async def list_jobs(request: web.Request) -> web.Response:
    """GET jobs of a project."""
    jobs = request.app[WORKSPACE].store.list("job", _project(request).id)
    return show_page(request, "jobs", [job.shown for job in jobs], _KEYS)


async def create(request: web.Request) -> web.Response:
    """POST jobs."""
    project, body = _project(request), await body_of(request)
    rules.check_types(body, _NEW)
    rules.check_new_environment(body)
    if not body.get("name"):
        raise rules.bad_request("Problem with field Name: value length must be at least 1 runes")
    if project.shown["default_engine_type"] == "ml_runtime":
        await _check_runtime(request, body)
        if body.get("kernel"):
            raise rules.bad_request("kernel cannot be specified for a project of ML Runtimes")
    elif not body.get("kernel"):
        raise rules.bad_request("kernel must be specified")
    rules.check_script(request.app[WORKSPACE].home.project(project.id), body.get("script"))
    rules.check_schedule(body)
    cron.check(body.get("schedule") or "", body.get("timezone") or records.DEFAULT_TIMEZONE)
    _check_parent(request, project, body)
    identifier = new_id()
    shown = records.job(identifier, body, project.shown)
    # The service adds addons that nobody asked for; clients must compare by containment.
    shown["runtime_addon_identifiers"] += [name for name in ADDONS if name not in shown["runtime_addon_identifiers"]]
    job = Record("job", identifier, project.id, shown)
    request.app[WORKSPACE].store.put(job)
    request.app[JOBS].schedules.follow(job)
    return show(job.shown)


async def get(request: web.Request) -> web.Response:
    """GET jobs/{id}."""
    return show_one(request, _job(request))


async def patch(request: web.Request) -> web.Response:
    """PATCH jobs/{id}."""
    body = await body_of(request)
    if body.get("runtime_identifier"):
        await _check_runtime(request, body)
    job = _job(request)
    if body.get("script") is not None:
        rules.check_script(request.app[WORKSPACE].home.project(job.project_id), body["script"])
    changes.job(job.shown, body, ADDONS)
    _check_parent(request, _project(request), job.shown, own=job.id)
    request.app[WORKSPACE].store.put(job)
    request.app[JOBS].schedules.follow(job)
    return show(job.shown)


async def delete(request: web.Request) -> web.Response:
    """DELETE jobs/{id}: its runs end with it."""
    await request.app[JOBS].delete(_job(request))
    return show({})


async def list_runs(request: web.Request) -> web.Response:
    """GET runs."""
    job = _job(request)
    # Runs can be asked for by fields that only their job has.
    of_job = {key: job.shown[key] for key in ("name", "description", "script", "paused", "type") if key in job.shown}
    runs = {run.id: run.shown for run in request.app[JOBS].runs_of(job)}
    found, token = queries.page(request.query, [of_job | shown for shown in runs.values()], _RUN_KEYS)
    request.app[WORKSPACE].delays.looked(each["id"] for each in found)
    return show({"job_runs": [runs[each["id"]] for each in found], "next_page_token": token})


async def create_run(request: web.Request) -> web.Response:
    """POST runs; an empty object, or nothing, is a valid body."""
    body = await body_of(request)
    job = _job(request)
    rules.check_types(body, {"arguments": rules.text})
    rules.check_new_environment(body)
    return show(request.app[JOBS].run(job, body).shown)


async def get_run(request: web.Request) -> web.Response:
    """GET runs/{id}."""
    return show_one(request, _run(request))


async def stop_run(request: web.Request) -> web.Response:
    """POST runs/{id}:stop."""
    return show(request.app[JOBS].stop(_run(request).id).shown)


ROUTES = [
    web.get("/api/v2/jobs", list_all),
    web.get(f"{PROJECT}/jobs", list_jobs),
    web.post(f"{PROJECT}/jobs", create),
    web.get(JOB, get),
    web.patch(JOB, patch),
    web.delete(JOB, delete),
    web.get(f"{JOB}/runs", list_runs),
    web.post(f"{JOB}/runs", create_run),
    web.post(f"{JOB}/runs/{{run_id:[^/:]+}}:stop", stop_run),
    web.get(f"{JOB}/runs/{{run_id:[^/:]+}}", get_run),
]
