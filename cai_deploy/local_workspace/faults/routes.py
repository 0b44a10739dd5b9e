"""The admin endpoint: rules come and go, and how often every route was called. Not part of the contract."""

from __future__ import annotations

from aiohttp import web

from cai_deploy.local_workspace import rules as workspace_rules
from cai_deploy.local_workspace.faults import rules
from cai_deploy.local_workspace.faults.ledger import Faults, Standing
from cai_deploy.local_workspace.faults.pods import PodFaults
from cai_deploy.local_workspace.faults.rules import Kind, Rule
from cai_deploy.local_workspace.routes.http import APPLICATIONS, WORKSPACE, body_of, show

FAULTS_PATH = "/local/v1/faults"
POD_FAULTS = web.AppKey("pod_faults", PodFaults)


def install(app: web.Application) -> None:
    """Add the endpoint to the workspace's server."""
    app[POD_FAULTS] = PodFaults(app[WORKSPACE], app[APPLICATIONS])
    app.add_routes(ROUTES)


async def begin(app: web.Application, rule: Rule) -> Standing:
    """Put a rule in force."""
    app[POD_FAULTS].check(rule)
    standing = app[WORKSPACE].faults.add(rule)
    await app[POD_FAULTS].begin(standing)
    if rule.kind in (Kind.POD_KILLED, Kind.POD_CUT_OFF) and not standing.seen:
        app[WORKSPACE].faults.remove(standing.rule.id)
        raise workspace_rules.bad_request(f"{rule.kind.value}: no pod runs that '{rule.target}' names")
    return standing


async def end(app: web.Application, identifier: str) -> None:
    """Take a rule away; 404 when there is none of that id."""
    rule = app[WORKSPACE].faults.remove(identifier)
    if rule is None:
        raise workspace_rules.not_found(f"fault {identifier}")
    await app[POD_FAULTS].end(rule)


def _faults(request: web.Request) -> Faults:
    return request.app[WORKSPACE].faults


async def list_faults(request: web.Request) -> web.Response:
    """GET faults: every rule with what it has met, and every route that was called."""
    faults = _faults(request)
    return show({"faults": [standing.shown() for standing in faults.all()], "calls": faults.calls()})


async def add(request: web.Request) -> web.Response:
    """POST faults: a rule, in force when this answers."""
    try:
        rule = rules.parse(await body_of(request))
    except ValueError as error:
        raise workspace_rules.bad_request(f"Problem with the rule: {error}") from None
    return show((await begin(request.app, rule)).shown())


async def remove(request: web.Request) -> web.Response:
    """DELETE faults/{id}."""
    await end(request.app, request.match_info["fault_id"])
    return show({})


async def clear(request: web.Request) -> web.Response:
    """DELETE faults: all of them, and every count begins again."""
    for standing in _faults(request).all():
        await end(request.app, standing.rule.id)
    _faults(request).forget_calls()
    return show({})


ROUTES = [
    web.get(FAULTS_PATH, list_faults),
    web.post(FAULTS_PATH, add),
    web.delete(FAULTS_PATH, clear),
    web.delete(f"{FAULTS_PATH}/{{fault_id}}", remove),
]
