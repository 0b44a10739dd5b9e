"""spec + observation -> everything wanted, each with the request that would make it. Pure; nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from cai_deploy import layout
from cai_deploy.membership import choose_members, number_of
from cai_deploy.places.compose import file
from cai_deploy.places.compose.image import dockerfile, environments_of, image_of
from cai_deploy.places.compose.observation import ComposeObservation
from cai_deploy.places.compose.plans import GroupPlan, Where
from cai_deploy.places.directory_ground import require_files
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.places.locked_requirements import require_lock
from cai_deploy.places.node_groups import launcher_of, role_of, settings_of
from cai_deploy.places.slurm import groundwork
from cai_deploy.render import render_launcher
from cai_deploy.spec import HEAD, ClusterSpec, HeadGroup, WorkerGroup
from cai_deploy.state import Limits, Request, Rollout, Wanted, WantedGround, WantedNode


@dataclass(frozen=True)
class Draft:
    """What a specification comes to in a directory, group by group; requests follow from it."""

    spec: ClusterSpec
    where: Where
    image: str
    requirements: str
    plans: tuple[GroupPlan, ...]
    remote: GroupPlan | None

    @property
    def compose_text(self) -> str:
        """The whole file for Compose."""
        return file.render(self.spec, self.plans, self.remote, self.where)

    def ground(self) -> tuple[WantedGround, ...]:
        """What must stand before nodes can, in the order in which it is needed."""
        plans = [*self.plans, self.remote] if self.remote else self.plans
        rendered = {plan.launcher.path: plan.launcher for plan in plans if plan and plan.launcher}
        return (
            groundwork.code(self.where.code),
            *groundwork.launchers(rendered.values()),
            *self._image_files(),
            _file("compose file", layout.compose_file(self.spec.name), self.compose_text),
            WantedGround("image", self.image, self.image, self._image_request()),
            groundwork.specification(self.spec),
        )

    def records(self) -> tuple[WantedGround, ...]:
        """What is written down once all is reached."""
        return (groundwork.record(self.spec, {plan.name: plan.settings.environment for plan in self.plans}),)

    def guest(self, head_ip: str, node_ip: str) -> Request:
        """What starts a worker of this host that joins the head at ``head_ip``."""
        up = ["--profile", file.REMOTE, "up", "--detach", "--no-deps", "--no-build", file.REMOTE]
        name = f"{file.REMOTE}-{node_ip.replace('.', '-')}"
        return {
            "compose": [*_compose(self.spec, self.where), *up],
            "variables": {"HEAD_IP": head_ip, "NODE_IP": node_ip, "NODE_NAME": name},
            "seconds": self.spec.timeouts.launch,
        }

    def files(self) -> dict[str, str]:
        """What is for people to read and to run by hand, by its path."""
        kept = [_file("compose file", layout.compose_file(self.spec.name), self.compose_text), *self._image_files()]
        return {want.name: want.request["body"]["content"] for want in kept}

    def _image_files(self) -> Iterator[WantedGround]:
        if self.spec.compose.image is None:
            below = layout.image_dir(self.spec.name)
            yield _file("image file", f"{below}/Dockerfile", dockerfile(self.spec))
            yield _file("image file", f"{below}/requirements.txt", self.requirements)

    def _image_request(self) -> Request:
        seconds = self.spec.timeouts.setup
        if self.spec.compose.image is not None:
            return {"pull": self.image, "seconds": seconds}
        directory = f"{self.where.directory}/{layout.image_dir(self.spec.name)}"
        return {"build": directory, "image": self.image, "seconds": seconds}


def draft(spec: ClusterSpec, seen: ComposeObservation, where: Where) -> Draft:
    """What ``spec`` comes to in a directory that looks like ``seen``. Raises ConfigError when it cannot be there."""
    require_files(seen.missing_scripts, seen.strange_files, where.directory)
    if spec.compose.image is None:
        require_lock(spec, seen.requirements, looked=True, where=where.directory)
    image = image_of(spec, seen.requirements)
    environments = environments_of(spec, image)
    plans = tuple(_plan(group, spec, image, environments[group.name]) for group in spec.groups)
    remote = _remote_plan(spec, image, environments) if spec.workers else None
    return Draft(spec, where, image, seen.requirements or "", plans, remote)


def build(spec: ClusterSpec, seen: ComposeObservation, where: Where) -> Wanted:
    """Everything that ``spec`` wants. Raises ConfigError as :func:`draft` does."""
    drafted = draft(spec, seen, where)
    plans = {plan.name: plan for plan in drafted.plans}
    nodes = [_wanted_node(name, plans[group.name], spec, where) for name, group in members(spec, seen)]
    return Wanted(
        drafted.ground(),
        tuple(nodes),
        rollouts={group.name: replace(Rollout.of(group, spec.update), max_surge=0) for group in spec.workers},
        records=drafted.records(),
        limits=Limits.of(spec),
    )


def members(spec: ClusterSpec, seen: ComposeObservation) -> Iterator[tuple[str, HeadGroup | WorkerGroup]]:
    """The nodes that ``spec`` wants: as many as possible stay, and new ones are called as Compose will count them.

    Compose counts on from the highest number of a service, and fills no gap.
    """
    there = {node.name for node in seen.nodes}
    numbers = {
        group.name: count(
            max((number_of(node.name) for node in seen.nodes if node.group == group.name), default=-1) + 1
        )
        for group in spec.workers
    }
    for name, group in choose_members(spec, seen.nodes).nodes:
        stays = name == HEAD or name in there
        yield name if stays else f"{group.name}-{next(numbers[group.name])}", group


def _plan(group: HeadGroup | WorkerGroup, spec: ClusterSpec, image: str, environment: str) -> GroupPlan:
    settings = settings_of(group, spec, environment)
    if group.name == HEAD and spec.compose.address:
        settings = replace(settings, ports={**file.REMOTE_PORTS, **settings.ports})
    return GroupPlan(group, settings, launcher_of(group, spec, settings), image, spec.compose)


def _remote_plan(spec: ClusterSpec, image: str, environments: dict[str, str]) -> GroupPlan:
    """The first group's worker on another host: its ports are known there, as there is a firewall in between."""
    group = spec.workers[0]
    settings = settings_of(group, spec, environments[group.name])
    settings = replace(settings, group=file.REMOTE, ports={**file.REMOTE_PORTS, **settings.ports})
    path = layout.worker_launcher_file(spec.name, file.REMOTE)
    return GroupPlan(group, settings, render_launcher(settings, path), image, spec.compose)


def _wanted_node(name: str, plan: GroupPlan, spec: ClusterSpec, where: Where) -> WantedNode:
    up = ["up", "--detach", "--no-deps", "--no-recreate", "--no-build", "--scale", f"{plan.name}={plan.replicas}"]
    request: Request = {
        "compose": [*_compose(spec, where), *up, plan.name],
        "service": plan.name,
        "image": plan.image,
        "seconds": spec.timeouts.launch,
        "environment": dict(plan.group.env),
    }
    return WantedNode(
        name=name,
        role=role_of(name),
        group=plan.name,
        fingerprint=plan.fingerprint,
        create=request,
        update=request,
    )


def _compose(spec: ClusterSpec, where: Where) -> list[str]:
    path = f"{where.directory}/{layout.compose_file(spec.name)}"
    return ["--project-name", where.project(spec.name), "--file", path]


def _file(kind: str, path: str, text: str) -> WantedGround:
    return WantedGround(kind, path, fingerprint(text), {"body": {"path": path, "content": text}})
