"""Which environments a specification needs, and which runtime, Python and setup job each of them goes with. Pure."""

from __future__ import annotations

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
    """One virtual environment, and the setup job that builds it."""

    name: str
    runtime: str
    python: str
    job: str


def needed(spec: ClusterSpec, seen: CaiObservation) -> dict[str, NeededEnvironment]:
    """The environment of each group, by group name; groups with one runtime share one.

    Raises ConfigError when no runtime fits, or when the repository has no such requirements file.
    """
    head_runtime = runtime_of(spec.head, spec, seen)
    return {group.name: _environment(runtime_of(group, spec, seen), head_runtime, spec, seen) for group in spec.groups}


def runtime_of(group: HeadGroup | WorkerGroup, spec: ClusterSpec, seen: CaiObservation) -> str:
    """The runtime image of one group (see ``runtimes.choose``)."""
    in_use = seen.runtimes_in_use
    node = next((node for node in in_use if node == group.name == HEAD or node.rpartition("-")[0] == group.name), "")
    current = in_use.get(node) if spec.python is None else None
    return runtimes.choose(group, spec.python, seen.runtimes, current)


def _environment(runtime: str, head_runtime: str, spec: ClusterSpec, seen: CaiObservation) -> NeededEnvironment:
    python = spec.python or runtimes.python_of(runtime, seen.runtimes)
    if python is None:
        raise ConfigError(
            f"the workspace does not say which Python {runtime} has", next_step="set `python` in the specification"
        )
    name = UNKNOWN_YET
    if seen.requirements is not None:
        name = environment_name(seen.requirements, python, runtime)
    return NeededEnvironment(name, runtime, python, names.setup_job(runtime, head_runtime))
