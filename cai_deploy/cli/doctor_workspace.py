"""What ``doctor`` looks at where nodes are applications: the workspace, the key, and whether it can give what is asked.

Each look is one call or two, and changes nothing. What launch would refuse is told in the words of launch.
"""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from cai_deploy.api.client import Client
from cai_deploy.api.errors import NotFound, UnreadableAnswer
from cai_deploy.api.http_session import normalise_host, trusted
from cai_deploy.api.schemas import Application, Project, Runtime
from cai_deploy.cli.checks import Check
from cai_deploy.cli.doctor_git import look_at_git
from cai_deploy.errors import AuthenticationError, ConfigError, DeployError
from cai_deploy.places.cai import members, names, room
from cai_deploy.places.cai.runtimes import ENABLED, choose
from cai_deploy.places.cai.site import site_of
from cai_deploy.places.ray_status import RayView
from cai_deploy.source import Source
from cai_deploy.spec import ClusterSpec
from cai_deploy.workspace import Workspace

MOST_SKEW = 60.0
"""Seconds by which clocks may differ before anybody is misled."""

MOST_PROJECTS = 50
"""Projects of others that are looked into."""

CREATION_FAILED = "failure"


@dataclass(frozen=True)
class Found:
    """What the workspace holds already of the cluster."""

    project: Project | None
    applications: tuple[Application, ...] = ()


def look_at(spec: ClusterSpec | None, workspace: Workspace, here: Source | None) -> Iterator[Check]:
    """One check after the other. Without a ``spec``, as it is wrong, what does not depend on it."""
    try:
        client = workspace.client(attempts=2)
    except DeployError as error:
        yield Check.failed("workspace", error)
        return
    key = look_at_key(client)
    reached = f"{workspace.host} answers (from {workspace.found_in})"
    if not isinstance(key, Check):
        yield Check.failed("workspace", key)
        return
    yield Check("workspace", reached)
    yield from look_at_certificate(workspace)
    yield key
    yield look_at_clock(client)
    if not key.ok or spec is None:
        return
    try:
        yield from look_at_what_it_has(spec, workspace, client, here)
    except DeployError as error:
        yield Check.failed("workspace", error)


def look_at_what_it_has(
    spec: ClusterSpec, workspace: Workspace, client: Client, here: Source | None
) -> Iterator[Check]:
    """Whether it can carry the cluster."""
    found, project = look_at_project(spec, workspace, client)
    yield project
    if not project.ok:
        return
    site = site_of(spec.project, here, normalise_host(workspace.host), sync_code=False, environ=os.environ)
    yield look_at_git(spec.project, site, here, needed=not found.project)
    yield from look_at_runtimes(spec, client.runtimes.list())
    yield from look_at_room(spec, client, found)
    yield look_at_subdomains(spec, client, found)


def look_at_key(client: Client) -> Check | DeployError:
    """The key; an error when there is nobody who could say anything of it."""
    try:
        owner = client.validate_key()
    except AuthenticationError as error:
        return Check.failed("key", error)
    except (UnreadableAnswer, NotFound) as error:
        return DeployError(
            "this is not the address of a workspace",
            why=error.why or error.what,
            next_step="set CML_HOST to the address of the workspace itself, as a browser shows it",
        )
    except DeployError as error:
        return error
    return Check("key", f"valid, it belongs to {owner or 'somebody without a name'}")


def look_at_certificate(workspace: Workspace) -> Iterator[Check]:
    """By what its certificate was trusted."""
    if not workspace.host.lower().startswith("http://"):
        bundle = trusted(workspace.ca_bundle)
        by = f"the bundle {bundle}" if isinstance(bundle, str) else "the usual authorities"
        yield Check("certificate", f"trusted, by {by}")


def look_at_clock(client: Client) -> Check:
    """Whether this machine and the workspace agree on the time."""
    skew = time.time() - client.server_time()
    if abs(skew) <= MOST_SKEW:
        return Check("clock", "agrees with the workspace's")
    found = f"this machine's clock is {told(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the workspace's"
    return Check.warned("clock", found, "set the clock that is wrong (NTP): certificates and expires_at are read by it")


def look_at_project(spec: ClusterSpec, workspace: Workspace, client: Client) -> tuple[Found, Check]:
    """The project, and what is in it."""
    if workspace.project_id:
        try:
            project: Project | None = client.projects.get(workspace.project_id)
        except NotFound as error:
            return Found(None), Check.failed("project", error)
    else:
        project = client.projects.find(spec.project.name)
    if project is None:
        return Found(None), Check("project", f"{spec.project.name} is not there yet; launch makes it")
    if project.creation_status == CREATION_FAILED:
        failed = DeployError(
            f"the clone of project {project.name} failed",
            next_step="delete the project (`down --project`), and see that the workspace can reach the repository",
        )
        return Found(project), Check.failed("project", failed)
    return Found(project, tuple(client.applications.list(project.id))), Check("project", f"{project.name} is there")


def look_at_runtimes(spec: ClusterSpec, offered: list[Runtime]) -> Iterator[Check]:
    """The image of each group."""
    for group in spec.groups:
        name = f"runtime of {group.name}"
        try:
            yield Check(name, usable(choose(group, spec.python, offered, None), offered))
        except DeployError as error:
            yield Check.failed(name, error)


def usable(image: str, offered: list[Runtime]) -> str:
    """``image``, if nodes can run on it. Raises ConfigError."""
    there = {runtime.image_identifier: runtime for runtime in offered}
    if image not in there:
        close = difflib.get_close_matches(image, there, n=1)
        hint = f"did you mean {close[0]}?" if close else "leave `runtime` out to have one chosen"
        raise ConfigError(f"the workspace has no runtime {image}", next_step=hint)
    if there[image].status != ENABLED:
        raise ConfigError(
            f"{image} is {there[image].status} in the workspace",
            next_step="choose another, or have the administrator enable it",
        )
    return image


def look_at_room(spec: ClusterSpec, client: Client, found: Found) -> Iterator[Check]:
    """Whether the quota and the GPUs suffice, for ever and now."""
    try:
        there = room.look(client)
    except DeployError as error:
        yield Check.warned("quota", f"not known: {error}", "see in the workspace what you may use")
        return
    wanted = ", ".join(room.shown(name, amount) for name, amount in room.wanted(spec).items())
    try:
        room.require_room(spec, there)
    except room.NoRoom as error:
        yield Check.failed("quota", error)
        return
    project_id = found.project.id if found.project else ""
    ours = members.owned(found.applications, spec.name, project_id)
    nodes = [members.to_node(member, RayView(), spec) for member in ours]
    if short := "; ".join(room.taken_by_others(spec, there, nodes)):
        step = "stop what runs elsewhere, or nodes wait in SCHEDULING until it ends"
        yield Check.warned("quota", short, step)
        return
    limits = ", ".join(room.shown(name, limit) for name, limit in there.limits.items())
    yield Check("quota", f"{wanted} fit" + (f" into {limits}" if limits else ": the workspace names no limit"))


def look_at_subdomains(spec: ClusterSpec, client: Client, found: Found) -> Check:
    """Whether the names of the nodes' addresses are free, or ours."""
    if found.project is None:
        return Check("subdomains", "free: they will end in a piece of the project's id")
    wanted = {names.subdomain(spec.name, node, found.project.id) for node, _ in spec.members()}
    ours = {each.application.id for each in members.owned(found.applications, spec.name, found.project.id)}
    others = [project for project in client.projects.list() if project.id != found.project.id][:MOST_PROJECTS]
    elsewhere = [(project.name, app) for project in others for app in client.applications.list(project.id)]
    here = [(found.project.name, app) for app in found.applications if app.id not in ours]
    for project, application in (*here, *elsewhere):
        if application.subdomain in wanted:
            held = DeployError(
                f"{application.subdomain} is held by application {application.name} of project {project}",
                next_step="delete that application, or give the cluster another name",
            )
            return Check.failed("subdomains", held)
    return Check("subdomains", "free, or the cluster's own")


def told(seconds: float) -> str:
    """A time, for people."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
