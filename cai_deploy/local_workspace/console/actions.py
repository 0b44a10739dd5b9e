"""What the console's buttons do. Each one does a single thing and leads back to the page that shows its effect."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from cai_deploy.local_workspace import rules
from cai_deploy.local_workspace.console.visit import Visit, find, see_other, table
from cai_deploy.local_workspace.faults import routes as faults
from cai_deploy.local_workspace.faults.rules import Kind, parse
from cai_deploy.local_workspace.routes.http import APPLICATIONS, JOBS

_WHOLE = ("nth", "every", "seed", "count", "retry_after")
_DECIMAL = ("probability", "duration", "delay", "lag")


async def answer(visit: Visit) -> web.StreamResponse:
    """Do what the form of a path asks for."""
    return await find(_ACTIONS, visit)


async def _stop_application(visit: Visit) -> web.StreamResponse:
    visit.request.app[APPLICATIONS].stop(visit.record("application").id)
    return _back(visit)


async def _restart_application(visit: Visit) -> web.StreamResponse:
    visit.request.app[APPLICATIONS].start(visit.record("application").id)
    return _back(visit)


async def _run_job(visit: Visit) -> web.StreamResponse:
    run = visit.request.app[JOBS].run(visit.record("job"), {})
    return see_other(f"{visit.request.path.removesuffix('/run')}/runs/{run.id}")


async def _stop_run(visit: Visit) -> web.StreamResponse:
    visit.request.app[JOBS].stop(visit.record("run").id)
    return _back(visit)


async def _add_fault(visit: Visit) -> web.StreamResponse:
    form = {name: value for name, value in (await visit.request.post()).items() if isinstance(value, str)}
    try:
        rule = parse(rule_of(form))
    except ValueError as error:
        raise rules.bad_request(f"This is no rule: {error}.") from None
    await faults.begin(visit.request.app, rule)
    return see_other("/console/faults")


async def _remove_fault(visit: Visit) -> web.StreamResponse:
    await faults.end(visit.request.app, visit.parts["fault"])
    return see_other("/console/faults")


async def _clear_faults(visit: Visit) -> web.StreamResponse:
    for standing in visit.workspace.faults.all():
        await faults.end(visit.request.app, standing.rule.id)
    visit.workspace.faults.forget_calls()
    return see_other("/console/faults")


def rule_of(form: dict[str, str]) -> dict[str, Any]:
    """The rule in a form: what is left empty is not said, and what another kind would need is not meant."""
    given: dict[str, Any] = {name: value.strip() for name, value in form.items() if name != "csrf" and value.strip()}
    if given.get("kind") in {kind.value for kind in Kind}:
        foreign = ("target",) if Kind(given["kind"]).meets_calls else ("method", "path")
        given = {name: value for name, value in given.items() if name not in foreign}
    for name in (*_WHOLE, *_DECIMAL):
        if name in given:
            try:
                given[name] = int(given[name]) if name in _WHOLE else float(given[name])
            except ValueError:
                raise ValueError(f"{name} is a number") from None
    return given


def _back(visit: Visit) -> web.Response:
    return see_other(visit.request.path.rpartition("/")[0])


_PROJECT = "/console/projects/{project}"
_ACTIONS = table(
    (f"{_PROJECT}/applications/{{application}}/stop", _stop_application),
    (f"{_PROJECT}/applications/{{application}}/restart", _restart_application),
    (f"{_PROJECT}/jobs/{{job}}/run", _run_job),
    (f"{_PROJECT}/jobs/{{job}}/runs/{{run}}/stop", _stop_run),
    ("/console/faults", _add_fault),
    ("/console/faults/clear", _clear_faults),
    ("/console/faults/{fault}/remove", _remove_fault),
)
