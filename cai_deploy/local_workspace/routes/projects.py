"""Projects, and the check of the key."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web

from cai_deploy.local_workspace import changes, queries, rules
from cai_deploy.local_workspace.routes.http import PROJECT, PROJECTS, WORKSPACE, body_of, show, show_one, show_page

_KEYS = {"description", "name", *queries.CREATOR_KEYS, *queries.OWNER_KEYS}
_TEXTS = (
    "name",
    "description",
    "visibility",
    "template",
    "git_url",
    "git_ref",
    "parent_project",
    "organization_permission",
    "team_name",
    "default_project_engine_type",
)
_NEW: dict[str, rules.Kind] = {**dict.fromkeys(_TEXTS, rules.text), "shared_memory_limit": rules.count}


async def validate_key(request: web.Request) -> web.Response:
    """POST auth/validate_key."""
    body = await body_of(request)
    rules.check_types(body, {"audience": rules.text})
    audience = body.get("audience") or "API"
    if audience != "API":
        raise rules.Refused(HTTPStatus.FORBIDDEN, "audience mismatch")
    return show({"valid": True, "username": "local", "message": ""})


def _visible(request: web.Request) -> list[dict[str, Any]]:
    return [record.shown for record in request.app[WORKSPACE].store.list("project")]


async def list_projects(request: web.Request) -> web.Response:
    """GET projects. All are the one user's own, so that the two flags add nothing."""
    queries.flag(request.query, "include_public_projects")
    queries.flag(request.query, "include_all_projects")
    return show_page(request, "projects", _visible(request), _KEYS)


async def list_names(request: web.Request) -> web.Response:
    """GET projectnames."""
    found, token = queries.page(request.query, _visible(request), {"name"})
    return show({"project_names": [project["name"] for project in found], "next_page_token": token})


async def batch(request: web.Request) -> web.Response:
    """GET projects/batch; ids that do not exist are left out."""
    wanted = set(request.query.getall("project_ids", []))
    return show({"projects": [project for project in _visible(request) if project["id"] in wanted]})


async def create(request: web.Request) -> web.Response:
    """POST projects."""
    body = await body_of(request)
    rules.check_types(body, _NEW)
    rules.check_new_environment(body)
    if not (body.get("name") or "").strip():
        raise rules.bad_request("Problem with field Name: value length must be at least 1 runes")
    if body.get("template") == "git" and not body.get("git_url"):
        raise rules.bad_request("Problem with field GitUrl: a git project needs an address to clone from")
    if parent := body.get("parent_project"):
        request.app[WORKSPACE].require("project", parent)
    if (body.get("git_ref") or "").startswith("-"):
        raise rules.bad_request("Problem with field GitRef: not a branch, tag or commit")
    return show(request.app[PROJECTS].create(body).shown)


async def get(request: web.Request) -> web.Response:
    """GET projects/{id}."""
    return show_one(request, request.app[WORKSPACE].require("project", request.match_info["project_id"]))


async def patch(request: web.Request) -> web.Response:
    """PATCH projects/{id}."""
    body = await body_of(request)
    record = request.app[WORKSPACE].require("project", request.match_info["project_id"])
    changes.project(record.shown, body)
    request.app[WORKSPACE].store.put(record)
    return show(record.shown)


async def delete(request: web.Request) -> web.Response:
    """DELETE projects/{id}: answers when nothing of it is left."""
    await request.app[PROJECTS].delete(request.app[WORKSPACE].require("project", request.match_info["project_id"]))
    return show({})


ROUTES = [
    web.post("/api/v2/auth/validate_key", validate_key),
    web.get("/api/v2/projects", list_projects),
    web.post("/api/v2/projects", create),
    web.get("/api/v2/projects/batch", batch),
    web.get("/api/v2/projectnames", list_names),
    web.get(PROJECT, get),
    web.patch(PROJECT, patch),
    web.delete(PROJECT, delete),
]
