"""The nodes that are wanted: one head, and groups of workers that are alike."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from cai_deploy.slurm_options import SlurmOptions
from cai_deploy.spec.part import Count, Name, Part

HEAD = "head"


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
    slurm: SlurmOptions | None = None

    @field_validator("env")
    @classmethod
    def _ours_are_not_theirs(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"{name!r} is not a variable name")
            if name.startswith(("CDSW_", "CAI_DEPLOY_")):
                raise ValueError(f"{name} belongs to the platform or to cai_deploy")
            if name.startswith("RAY_AUTH_"):
                raise ValueError(f"{name} is cai_deploy's: an application's variables are no place for a token")
            if name.startswith(("RAY_USE_TLS", "RAY_TLS_")):
                raise ValueError(f"{name} is cai_deploy's: write `tls: true`, and each node makes its certificate")
        return env

    @field_validator("script")
    @classmethod
    def _inside_the_project(cls, script: str | None) -> str | None:
        if script is not None and (script.startswith("/") or ".." in script.split("/")):
            raise ValueError("a script is a path below the project's root")
        return script


class HeadGroup(NodeGroup):
    """The one node that carries the GCS, the dashboard and the client server. Its name is fixed.

    A ``public`` head is reached without the platform's login, by everybody who has the cluster's token.
    """

    name: ClassVar[str] = HEAD
    public: bool = False


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
