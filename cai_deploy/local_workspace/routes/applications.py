"""Applications."""

from __future__ import annotations

from aiohttp import web

from cai_deploy.local_workspace import changes, queries, rules
from cai_deploy.local_workspace.routes.http import APPLICATIONS, PROJECT, WORKSPACE, body_of, show, show_one, show_page
from cai_deploy.local_workspace.store import Record

_KEYS = {
    "bypass_authentication",
    "description",
    "kernel",
    "name",
    "script",
    "status",
    "subdomain",
    *queries.CREATOR_KEYS,
}
_NEW: dict[str, rules.Kind] = {
    "name": rules.text,
    "subdomain": rules.text,
    "description": rules.text,
    "script": rules.text,
    "cpu": rules.amount,
    "memory": rules.amount,
    "nvidia_gpu": rules.count,
    "kernel": rules.text,
    "bypass_authentication": rules.flag,
    "runtime_identifier": rules.text,
    "runtime_addon_identifiers": rules.texts,
    "run_as": rules.integer,
    "cdv_app": rules.flag,
    "accelerator_label_id": rules.decimal_or_number,
    "resource_group_id": rules.integer,
    "resource_profile_id": rules.integer,
}
APPLICATION = f"{PROJECT}/applications/{{application_id:[^/:]+}}"


def _project(request: web.Request) -> Record:
    return request.app[WORKSPACE].require("project", request.match_info["project_id"])


def _application(request: web.Request) -> Record:
    return request.app[WORKSPACE].require("application", request.match_info["application_id"], _project(request).id)


async def _known_runtimes(request: web.Request) -> set[str]:
    return {runtime.identifier for runtime in await request.app[WORKSPACE].runtimes()}


async def list_applications(request: web.Request) -> web.Response:
    """GET applications."""
    found = request.app[WORKSPACE].store.shown("application", _project(request).id)
    return show_page(request, "applications", found, _KEYS)


async def create(request: web.Request) -> web.Response:
    """POST applications: it starts at once."""
    body = await body_of(request)
    rules.check_types(body, _NEW)
    rules.check_new_environment(body)
    known = await _known_runtimes(request)
    # From here on nothing waits, so that two requests for one subdomain cannot both find it free.
    project = _project(request)
    for field in ("name", "script"):
        if not body.get(field):
            raise rules.bad_request(f"Problem with field {field.title()}: value length must be at least 1 runes")
    subdomain = body.get("subdomain")
    others = request.app[WORKSPACE].store.matching("application", "shown", "subdomain", subdomain or "")
    rules.check_subdomain(subdomain, taken=bool(others))
    if project.shown["default_engine_type"] == "ml_runtime":
        rules.check_runtime(body, known)
    return show(request.app[APPLICATIONS].create(project, body).shown)


async def get(request: web.Request) -> web.Response:
    """GET applications/{id}."""
    return show_one(request, _application(request))


async def patch(request: web.Request) -> web.Response:
    """PATCH applications/{id}; a running one is not restarted by it."""
    body = await body_of(request)
    known = await _known_runtimes(request)
    record = _application(request)
    if body.get("runtime_identifier"):
        rules.check_runtime(body, known)
    changes.application(record.shown, body)
    request.app[WORKSPACE].store.put(record)
    return show(record.shown)


async def delete(request: web.Request) -> web.Response:
    """DELETE applications/{id}: answers when nothing of it runs any more."""
    await request.app[APPLICATIONS].delete(_application(request))
    return show({})


async def restart(request: web.Request) -> web.Response:
    """POST applications/{id}:restart, which starts a stopped one too."""
    return show(request.app[APPLICATIONS].start(_application(request).id).shown)


async def stop(request: web.Request) -> web.Response:
    """POST applications/{id}:stop."""
    return show(request.app[APPLICATIONS].stop(_application(request).id).shown)


ROUTES = [
    web.get(f"{PROJECT}/applications", list_applications),
    web.post(f"{PROJECT}/applications", create),
    web.post(f"{APPLICATION}:restart", restart),
    web.post(f"{APPLICATION}:stop", stop),
    web.get(APPLICATION, get),
    web.patch(APPLICATION, patch),
    web.delete(APPLICATION, delete),
]
