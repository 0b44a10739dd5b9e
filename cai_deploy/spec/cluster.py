"""ClusterSpec: one whole cluster, and what its parts must agree on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AwareDatetime, StringConstraints, field_validator, model_validator

from cai_deploy import RAY_VERSION
from cai_deploy.compose_options import Compose
from cai_deploy.slurm_options import Slurm
from cai_deploy.spec import possible
from cai_deploy.spec.change import Timeouts, Update
from cai_deploy.spec.nodes import HEAD, HeadGroup, WorkerGroup
from cai_deploy.spec.part import Authentication, Minutes, Name, Part
from cai_deploy.spec.ports import Ports
from cai_deploy.spec.project import Environment, Project
from cai_deploy.spec.schedule import Schedule
from cai_deploy.spec.upkeep import Idle, Watchdog
from cai_deploy.ssh_hosts import SshHost


class ClusterSpec(Part):
    """One Ray cluster: its head, its groups of workers, and what they run on."""

    name: Name = "ray"
    place: Literal["cai", "slurm", "compose", "ssh"] = "cai"
    ray_version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+(\.?(rc|dev|post)\d+)?$")] = RAY_VERSION
    python: Annotated[str, StringConstraints(pattern=r"^3\.\d{1,2}$")] | None = None
    launch_with: Literal["script", "inline"] = "script"
    authentication: Authentication = "token"
    tls: bool = False
    project: Project = Project()
    environment: Environment = Environment()
    head: HeadGroup = HeadGroup()
    workers: tuple[WorkerGroup, ...] = (WorkerGroup(),)
    ports: Ports = Ports()
    update: Update = Update()
    timeouts: Timeouts = Timeouts()
    watchdog: Watchdog | None = None
    idle: Idle = Idle()
    expires_at: AwareDatetime | None = None
    lifetime: Minutes | None = None
    schedule: Schedule = Schedule()
    slurm: Slurm = Slurm()
    compose: Compose = Compose()
    hosts: tuple[SshHost, ...] = ()

    @model_validator(mode="after")
    def _closed(self) -> ClusterSpec:
        if self.head.public and self.authentication == "none":
            raise ValueError("head.public without a token would let anybody run anything; keep authentication: token")
        if self.tls and self.launch_with == "inline":
            raise ValueError("tls needs each node's agent to make its certificate; use launch_with: script")
        return self

    @model_validator(mode="after")
    def _possible(self) -> ClusterSpec:
        """What its place cannot do is not left undone in silence."""
        if wrong := possible.problems(self):
            raise ValueError("; ".join(wrong))
        return self

    @field_validator("workers")
    @classmethod
    def _distinct(cls, groups: tuple[WorkerGroup, ...]) -> tuple[WorkerGroup, ...]:
        names = [group.name for group in groups]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two groups are called {name!r}")
        return groups

    def to_json(self) -> str:
        """The shortest text that parses to this specification again; equal specifications have equal texts.

        Defaults are left out, except where somebody wrote one down and that says something: it pins a port, and for
        Slurm it counts above what the cluster says for all groups.
        """
        written = self.model_dump(mode="json", exclude_defaults=True)
        for key, part in (("ports", self.ports), ("slurm", self.slurm)):
            if stated := part.model_dump(mode="json", exclude_unset=True):
                written[key] = stated
        groups = (written.get("head", {}), *written.get("workers", ()))  # without one that says nothing
        for text, group in zip(groups, self.groups, strict=False):
            if group.slurm is not None:
                text["slurm"] = group.slurm.model_dump(mode="json", exclude_unset=True)
        return json.dumps(written, indent=2, sort_keys=True) + "\n"

    @property
    def groups(self) -> tuple[HeadGroup | WorkerGroup, ...]:
        """The head, and every group of workers."""
        return (self.head, *self.workers)

    def members(self) -> Iterator[tuple[str, HeadGroup | WorkerGroup]]:
        """Every node that is wanted, as (node name, its group): ``head``, ``worker-0``, ``worker-1`` ..."""
        yield HEAD, self.head
        for group in self.workers:
            for index in range(group.replicas):
                yield f"{group.name}-{index}", group

    def from_top(self, directory: str) -> ClusterSpec:
        """The same with every path told from the repository's top, where ``directory`` is that of the specification.

        What ``project.directory`` says counts instead. The default lock file is that of the whole repository.
        """
        below = self.project.model_copy(update={"directory": self.project.directory or directory or None})
        if below.directory is None:
            return self
        environment, stated = self.environment, "requirements" in self.environment.model_fields_set
        if stated:
            lock = below.path(environment.requirements)
            environment = environment.model_copy(update={"requirements": lock})
        head, *workers = (
            group.model_copy(update={"script": below.path(group.script)}) if group.script else group
            for group in self.groups
        )
        project = self.project.model_copy(update={"directory": None})
        told = {"project": project, "environment": environment, "head": head, "workers": tuple(workers)}
        return self.model_copy(update=told)

    def unpinned(self) -> ClusterSpec:
        """The same cluster on the environments that its lock file asks for."""
        environment = self.environment.model_copy(update={"pinned": {}})
        return self.model_copy(update={"environment": environment})

    def scaled(self, replicas: int, group: str | None = None) -> ClusterSpec:
        """The same cluster with another number of workers in ``group`` (the first one when None).

        Raises KeyError when there is no such group.
        """
        names = [each.name for each in self.workers]
        if not names or (group is not None and group not in names):
            raise KeyError(group or "worker")
        chosen = group or names[0]
        workers = tuple(
            # validated again, as model_copy takes any number
            WorkerGroup.model_validate({**each.model_dump(exclude_unset=True), "replicas": replicas})
            if each.name == chosen
            else each
            for each in self.workers
        )
        return self.model_copy(update={"workers": workers})
