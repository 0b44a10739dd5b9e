"""The console's pages: what is gathered for each. How it looks is in the templates."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from aiohttp import web

from cai_deploy.local_workspace import rules
from cai_deploy.local_workspace.console import views
from cai_deploy.local_workspace.console.visit import Visit, find, html, see_other, table
from cai_deploy.local_workspace.faults import rules as fault_rules
from cai_deploy.local_workspace.handoff import GUESTS, OPEN, entrance, local_path
from cai_deploy.local_workspace.routes.http import APPLICATIONS, JOBS, WORKSPACE
from cai_deploy.local_workspace.store import Record

MOST_RUNS = 50


async def answer(visit: Visit) -> web.StreamResponse:
    """The page of a path."""
    return await find(_PAGES, visit)


def login(request: web.Request, following: str, *, wrong: bool = False) -> web.Response:
    """The form that asks for the key."""
    return html("login.html", 401 if wrong else 200, request.app[WORKSPACE], following=following, wrong=wrong)


def sorry(request: web.Request, status: int, why: str) -> web.Response:
    """A page that says what did not work."""
    return html("sorry.html", status, request.app[WORKSPACE], status=status, why=why)


def onwards(request: web.Request, address: str) -> web.Response:
    """A page that leads on by itself: unlike a redirect, it may lead from a form of ours to another host.

    It is also a new beginning for a browser, which leaves out a strict cookie on a way that began at another host.
    """
    return html("onwards.html", 200, request.app[WORKSPACE], address=address)


async def _open(visit: Visit) -> web.StreamResponse:
    subdomain = visit.parts["subdomain"]
    if not visit.workspace.store.matching("application", "shown", "subdomain", subdomain):
        raise rules.not_found("this application")
    ticket = visit.request.app[GUESTS].ticket(subdomain, visit.session.csrf)
    following = local_path(visit.parts["path"])
    return onwards(visit.request, entrance(subdomain, visit.request.host, ticket, following))


async def _home(visit: Visit) -> web.StreamResponse:
    store = visit.workspace.store
    applications, runs = store.list("application"), store.list("run")
    projects = [
        {
            "shown": record.shown,
            "applications": sum(each.project_id == record.id for each in applications),
            "running": sum(each.project_id == record.id and _runs(each) for each in applications),
            "jobs": len(store.list("job", record.id)),
        }
        for record in reversed(store.list("project"))
    ]
    return visit.page(
        "home.html",
        projects=projects,
        applications=await _with_usage(visit, applications),
        running=sum(_runs(each) for each in applications),
        under_way=sum(each.shown["status"] not in rules.RUN_ENDS for each in runs),
        pods=visit.workspace.pods.running(),
        mode=visit.workspace.pods.mode.value,
    )


async def _project(visit: Visit) -> web.StreamResponse:
    project = visit.record("project")
    jobs = []
    for job in visit.workspace.store.list("job", project.id):
        runs = visit.request.app[JOBS].runs_of(job)
        jobs.append({"shown": job.shown, "runs": len(runs), "last": runs[-1].shown if runs else None})
    applications = visit.workspace.store.list("application", project.id)
    directory = visit.workspace.home.project(project.id)
    entries, more = views.entries(directory) if directory.is_dir() else ([], 0)
    return visit.page(
        "project.html",
        project=project.shown,
        git_url=_without_credentials(project.inner.get("git_url", "")),
        jobs=jobs,
        applications=await _with_usage(visit, applications),
        entries=entries,
        more=more,
        file_path="",
    )


async def _files(visit: Visit) -> web.StreamResponse:
    project, path = visit.record("project"), visit.parts["path"].strip("/")
    target = rules.path_in_project(visit.workspace.home.project(project.id), path or ".")
    frame = {"project": project.shown, "file_path": path, "crumbs": views.crumbs(path)}
    if target.is_dir():
        if not path:
            return see_other(f"/console/projects/{project.id}")
        entries, more = views.entries(target)
        return visit.page("directory.html", **frame, entries=entries, more=more)
    if not target.is_file():
        raise rules.not_found(f"file '{path}'")
    text, more_text = await asyncio.to_thread(views.text_of, target)
    return visit.page("file.html", **frame, text=text, more=more_text, bytes=target.stat().st_size)


async def _raw(visit: Visit) -> web.StreamResponse:
    project, path = visit.record("project"), visit.parts["path"]
    target = rules.path_in_project(visit.workspace.home.project(project.id), path)
    if not target.is_file():
        raise rules.not_found(f"file '{path}'")
    # Always a download: a project's own HTML must not run as a page of the console.
    disposition = f"attachment; filename*=UTF-8''{quote(target.name, safe='')}"
    return web.FileResponse(
        target, headers={"Content-Type": "application/octet-stream", "Content-Disposition": disposition}
    )


async def _job(visit: Visit) -> web.StreamResponse:
    project, job = visit.record("project"), visit.record("job")
    runs = visit.request.app[JOBS].runs_of(job)[::-1]
    return visit.page(
        "job.html",
        project=project.shown,
        job=job.shown,
        runs=[run.shown for run in runs[:MOST_RUNS]],
        more=max(0, len(runs) - MOST_RUNS),
    )


async def _run(visit: Visit) -> web.StreamResponse:
    project, job, run = visit.record("project"), visit.record("job"), visit.record("run")
    return visit.page(
        "run.html",
        project=project.shown,
        job=job.shown,
        run=run.shown,
        stoppable=rules.may_follow(run.shown["status"], "ENGINE_STOPPING"),
        usage=(await _usage(visit)).get(run.id),
        log=_log(visit, run.id, 0),
    )


async def _application(visit: Visit) -> web.StreamResponse:
    project, record = visit.record("project"), visit.record("application")
    pod = visit.request.app[APPLICATIONS].pod_of(record)
    return visit.page(
        "application.html",
        project=project.shown,
        application=record.shown,
        pod=pod,
        at_rest=record.shown["status"] in rules.APPLICATION_AT_REST,
        usage=(await _usage(visit)).get(record.id),
        log=_log(visit, record.id, 0),
    )


async def _log_page(visit: Visit) -> web.StreamResponse:
    identifier = visit.parts["workload"]
    if not any(visit.workspace.store.find(kind, identifier) for kind in ("application", "run")):
        raise rules.not_found(f"log {identifier}")
    offset = visit.request.query.get("from", "0")
    return web.json_response(_log(visit, identifier, int(offset) if offset.isdecimal() else 0))


async def _faults(visit: Visit) -> web.StreamResponse:
    faults = visit.workspace.faults
    standing = [
        {
            **each.shown(),
            "said": fault_rules.SAID[each.rule.kind],
            "over": faults.is_over(each),
            "meets": _met(each.rule),
            "occasions": views.rule_said(each.rule.shown()),
        }
        for each in faults.all()
    ]
    kinds = [(kind.value, kind.meets_calls, fault_rules.SAID[kind]) for kind in fault_rules.Kind]
    return visit.page("faults.html", faults=standing, kinds=kinds, calls=faults.calls(), refused="", form={})


def _met(rule: fault_rules.Rule) -> str:
    if rule.kind.meets_calls:
        return " ".join(
            ("any method" if rule.method == "*" else rule.method, "any path" if rule.path == "*" else rule.path)
        )
    return "everything" if rule.target == "*" else rule.target


def _log(visit: Visit, identifier: str, offset: int) -> dict[str, Any]:
    return views.log_from(visit.workspace.home.workload_log(identifier), offset)


async def _usage(visit: Visit) -> dict[str, Any]:
    return dict(await asyncio.to_thread(visit.gauge.read))


async def _with_usage(visit: Visit, applications: list[Record]) -> list[dict[str, Any]]:
    usage = await _usage(visit) if applications else {}
    return [{"shown": each.shown, "project_id": each.project_id, "usage": usage.get(each.id)} for each in applications]


def _runs(application: Record) -> bool:
    return bool(application.shown["status"] == "APPLICATION_RUNNING")


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" if separator else url


_PROJECT = "/console/projects/{project}"
_PAGES = table(
    ("/", _home),
    ("/console/?", _home),
    (_PROJECT, _project),
    (f"{_PROJECT}/files/{{path}}", _files),
    (f"{_PROJECT}/raw/{{path}}", _raw),
    (f"{_PROJECT}/jobs/{{job}}", _job),
    (f"{_PROJECT}/jobs/{{job}}/runs/{{run}}", _run),
    (f"{_PROJECT}/applications/{{application}}", _application),
    ("/console/logs/{workload}", _log_page),
    ("/console/faults", _faults),
    (f"{OPEN}/{{subdomain}}/{{path}}", _open),
)
