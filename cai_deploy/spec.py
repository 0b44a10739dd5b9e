"""ClusterSpec: what is wanted, as a value.

Frozen models without I/O. They say what a specification may hold and nothing about where it comes from (``config.py``)
or how it is reached (``plan.py``, ``places/``). ``cai-deploy.yaml`` at the top of the repository is the annotated
example of every field here; a test keeps the two together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

NAME_PATTERN = r"^[a-z](-?[a-z0-9])*$"
"""Names become parts of subdomains, which the platform limits to lower-case letters, digits and single hyphens."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=30)]
Port = Annotated[int, Field(ge=1024, le=65535)]
Count = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]

HEAD = "head"


class Part(BaseModel):
    """Common behaviour: no unknown keys, no changes after the fact."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Resources(Part):
    """What one node gets. ``cpu`` in vCPU, ``memory_gb`` in GB (the platform's unit)."""

    cpu: Annotated[float, Field(gt=0, le=1024)] = 2
    memory_gb: Annotated[float, Field(gt=0, le=16_384)] = 4
    gpu: Annotated[int, Field(ge=0, le=64)] = 0


class NodeGroup(Resources):
    """What head and workers have in common."""

    runtime: str | None = None
    script: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    resources: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)

    @field_validator("env")
    @classmethod
    def _ours_are_not_theirs(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"{name!r} is not a variable name")
            if name.startswith(("CDSW_", "CAI_DEPLOY_")):
                raise ValueError(f"{name} belongs to the platform or to cai_deploy")
        return env

    @field_validator("script")
    @classmethod
    def _inside_the_project(cls, script: str | None) -> str | None:
        if script is not None and (script.startswith("/") or ".." in script.split("/")):
            raise ValueError("a script is a path below the project's root")
        return script


class HeadGroup(NodeGroup):
    """The one node that carries the GCS, the dashboard and the client server. Its name is fixed."""

    name: ClassVar[str] = HEAD


class WorkerGroup(NodeGroup):
    """``replicas`` nodes that are alike."""

    name: Name = "worker"
    replicas: Count = 1

    @field_validator("name")
    @classmethod
    def _not_the_head(cls, name: str) -> str:
        if name == HEAD:
            raise ValueError("the name 'head' is taken by the head")
        return name


class Ports(Part):
    """Ray's ports. Those without a default are left to Ray unless given; a mesh with strict rules wants all of them."""

    gcs: Port = 6379
    dashboard: Port = 8265
    client: Port = 10001
    serve: Port = 8000
    node_manager: Port | None = None
    object_manager: Port | None = None
    dashboard_agent: Port | None = None
    dashboard_agent_grpc: Port | None = None
    runtime_env_agent: Port | None = None
    metrics: Port | None = None
    worker_min: Port | None = None
    worker_max: Port | None = None

    @model_validator(mode="after")
    def _no_clash(self) -> Ports:
        seen: dict[int, str] = {}
        for name, port in self.known().items():
            if name.startswith("worker_"):
                continue
            if port in seen:
                raise ValueError(f"{name} and {seen[port]} are both {port}")
            seen[port] = name
        if (self.worker_min is None) != (self.worker_max is None):
            raise ValueError("worker_min and worker_max go together")
        if self.worker_min is not None and self.worker_max is not None and self.worker_min > self.worker_max:
            raise ValueError(f"worker_min {self.worker_min} is above worker_max {self.worker_max}")
        return self

    def known(self) -> dict[str, int]:
        """The ports that have a number, by name."""
        return {name: port for name, port in self.model_dump().items() if port is not None}

    def pinned(self) -> tuple[str, ...]:
        """The ports that somebody chose; the others may move when a program holds them."""
        return tuple(sorted(name for name in self.known() if name in self.model_fields_set))


class Project(Part):
    """The CML project and the repository in it. ``git_url`` defaults to the repository you stand in."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)] = "ray"
    git_url: str | None = None
    git_ref: str | None = None

    @field_validator("git_url")
    @classmethod
    def _no_credentials(cls, url: str | None) -> str | None:
        if url and re.match(r"https?://[^/]*@", url):
            raise ValueError("a URL must not carry a user name or token: the platform shows it to everybody")
        return url


class Environment(Part):
    """The locked requirements that every node runs on, as a path in the repository."""

    requirements: str = "requirements/cluster.txt"


class Timeouts(Part):
    """How long each stage may take, in seconds."""

    project: Seconds = 600
    setup: Seconds = 1800
    launch: Seconds = 900
    join: Seconds = 300
    stop: Seconds = 30


class ClusterSpec(Part):
    """One Ray cluster: its head, its groups of workers, and what they run on."""

    name: Name = "ray"
    ray_version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+(\.?(rc|dev|post)\d+)?$")] = "2.60.0"
    python: Annotated[str, StringConstraints(pattern=r"^3\.\d{1,2}$")] | None = None
    launch_with: Literal["script", "inline"] = "script"
    project: Project = Project()
    environment: Environment = Environment()
    head: HeadGroup = HeadGroup()
    workers: tuple[WorkerGroup, ...] = (WorkerGroup(),)
    ports: Ports = Ports()
    timeouts: Timeouts = Timeouts()

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

        Defaults are left out, except that a port which somebody wrote down stays written, as that pins it.
        """
        written = self.model_dump(mode="json", exclude_defaults=True)
        ports = self.ports.model_dump(mode="json", exclude_unset=True)
        return json.dumps({**written, **({"ports": ports} if ports else {})}, indent=2, sort_keys=True) + "\n"

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
