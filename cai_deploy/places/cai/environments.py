"""Which environments a specification needs, and which runtime, Python and setup job each of them goes with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cai_deploy.errors import ConfigError
from cai_deploy.places.cai import names, runtimes
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.project.environment import environment_name
from cai_deploy.spec import HEAD, ClusterSpec, HeadGroup, WorkerGroup

UNKNOWN_YET = "(known once the code is there)"
"""What a plan shows in place of a value that depends on a step before it."""


@dataclass(frozen=True)
class NeededEnvironment:
    """One virtual environment, and the setup job that builds it from ``lock_file``."""

    name: str
    runtime: str
    python: str
    job: str
    lock_file: str


def needed(spec: ClusterSpec, seen: CaiObservation) -> dict[str, NeededEnvironment]:
    """The environment of each group, by group name; groups with one runtime share one.

    Raises ConfigError when no runtime fits, or when the repository has no such requirements file.
    """
    head_runtime = runtime_of(spec.head, spec, seen)
    return {group.name: _environment(group, head_runtime, spec, seen) for group in spec.groups}


def runtime_of(group: HeadGroup | WorkerGroup, spec: ClusterSpec, seen: CaiObservation) -> str:
    """The runtime image of one group (see ``runtimes.choose``).

    A group without nodes follows the head, as all nodes of a cluster must have one Python.
    """
    in_use = seen.runtimes_in_use
    head = in_use.get(HEAD)
    current = in_use.get(group.name) or (head if bool(group.gpu) == bool(spec.head.gpu) else None)
    python = spec.python or (runtimes.python_of(head, seen.runtimes) if head else None)
    if current and spec.python and runtimes.python_of(current, seen.runtimes) != spec.python:
        current = None
    return runtimes.choose(group, python, seen.runtimes, current)


def needs_offers(spec: ClusterSpec, in_use: Mapping[str, str]) -> bool:
    """Whether the workspace's runtimes have to be known, when these are ``in_use`` by group."""
    if HEAD not in in_use or any(spec.python not in (None, runtimes.python_of(image, ())) for image in in_use.values()):
        return True
    return any(group.name not in in_use and bool(group.gpu) != bool(spec.head.gpu) for group in spec.workers)


def _environment(
    group: HeadGroup | WorkerGroup, head_runtime: str, spec: ClusterSpec, seen: CaiObservation
) -> NeededEnvironment:
    runtime = runtime_of(group, spec, seen)
    python = spec.python or runtimes.python_of(runtime, seen.runtimes)
    if python is None:
        raise ConfigError(
            f"the workspace does not say which Python {runtime} has", next_step="set `python` in the specification"
        )
    name = spec.environment.pinned.get(group.name, UNKNOWN_YET)
    if name == UNKNOWN_YET and seen.requirements is not None:
        name = environment_name(seen.requirements, python, runtime)
    lock_file = seen.lock_file or spec.environment.requirements
    return NeededEnvironment(name, runtime, python, names.setup_job(runtime, head_runtime), lock_file)
