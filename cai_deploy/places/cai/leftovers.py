"""What a project holds of ours that nobody wants any more. Pure: contents in, leftovers out.

Ours is what carries our mark or our sign, or lies below our own directory; wanted is what some cluster's specification
asks for, or what its last reached state would go back to. A cluster that is only down keeps all that it needs to come
back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cai_deploy import layout
from cai_deploy.api.schemas import Application, Job
from cai_deploy.membership import choose_members
from cai_deploy.places.cai import marks, scheduled_jobs
from cai_deploy.places.cai.facts import ENVIRONMENT
from cai_deploy.places.cai.job_ground import marked
from cai_deploy.places.cai.members import owned, to_node
from cai_deploy.places.node_groups import launcher_files
from cai_deploy.places.ray_status import RayView
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Node

COPY = re.compile(r".*\(\d+\)(\.\w+)?")
"""What the platform makes of an upload to a path that is taken."""


@dataclass(frozen=True)
class Cluster:
    """What a project keeps of one cluster: what it was last wanted to be, and what it last was."""

    spec: ClusterSpec | None
    reached: ClusterSpec | None
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contents:
    """A project as far as it may be ours. ``environments`` says of each whether it was finished.

    ``launchers`` are the files at the root that carry our sign; ``building`` is whether a setup job runs.
    """

    project_id: str
    applications: tuple[Application, ...] = ()
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    environments: Mapping[str, bool] = field(default_factory=dict)
    launchers: tuple[str, ...] = ()
    building: bool = False
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True)
class Leftover:
    """One thing that nobody wants: an application as a ``node``, a job by its id, or what is at ``path``."""

    kind: Literal["job", "application", "environment", "launcher", "copy"]
    name: str
    reason: str
    path: str = ""
    node: Node | None = None
    job_id: str = ""


def find_leftovers(held: Contents) -> tuple[Leftover, ...]:
    """Everything in ``held`` that is ours and unwanted."""
    return (*_jobs(held), *_applications(held), *_environments(held), *_launchers(held), *_copies(held))


def _jobs(held: Contents) -> Iterator[Leftover]:
    """Jobs that go on by the clock for a cluster that does not know them; a second one of a name is the planner's."""
    for cluster, job in marked(held.jobs, held.project_id):
        spec = held.clusters[cluster].spec if cluster in held.clusters else None
        if job.name not in (scheduled_jobs.job_names(spec) if spec else ()):
            yield Leftover("job", job.name, _why(cluster, spec), job_id=job.id)


def _why(cluster: str, spec: ClusterSpec | None) -> str:
    return f"cluster {cluster} does not want it" if spec else f"cluster {cluster} is gone"


def _applications(held: Contents) -> Iterator[Leftover]:
    clusters = {mark.cluster for app in held.applications if (mark := marks.read(app.environment))}
    for cluster in sorted(clusters):
        spec = held.clusters[cluster].spec if cluster in held.clusters else None
        members = owned(held.applications, cluster, held.project_id)
        nodes = [to_node(member, RayView(), spec or ClusterSpec()) for member in members]
        wanted = {name for name, _ in choose_members(spec, nodes).nodes} if spec else set()
        for member, node in zip(members, nodes, strict=True):
            if node.name not in wanted:
                yield Leftover("application", member.application.name, _why(cluster, spec), node=node)
            wanted.discard(node.name)  # a second one of that name is wanted by nobody


def _environments(held: Contents) -> Iterator[Leftover]:
    used = {app.environment.get(ENVIRONMENT, "") for app in held.applications}
    for cluster in held.clusters.values():
        for spec in (cluster.spec, cluster.reached):
            used.update(spec.environment.pinned.values() if spec else ())
    for name, finished in held.environments.items():
        if name not in used and (finished or not held.building):
            reason = "no node and no cluster's record uses it" if finished else "it was never finished"
            yield Leftover("environment", name, reason, layout.environment_dir(name))


def _launchers(held: Contents) -> Iterator[Leftover]:
    wanted = {path for cluster in held.clusters.values() if cluster.spec for path in launcher_files(cluster.spec)}
    for path in held.launchers:
        if path not in wanted:
            yield Leftover("launcher", path, "no cluster uses it", path)


def _copies(held: Contents) -> Iterator[Leftover]:
    for name, cluster in held.clusters.items():
        for file in cluster.files:
            if COPY.fullmatch(file):
                yield Leftover(
                    "copy", file, "an upload met a file that was there", f"{layout.cluster_dir(name)}/{file}"
                )


__all__ = ["Cluster", "Contents", "Leftover", "find_leftovers"]
