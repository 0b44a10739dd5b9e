"""Which environment the nodes of each group run on. Pure.

It is built on the machine that submits, for the Python that runs here: machines of one Slurm share both.
"""

from __future__ import annotations

import sys

from cai_deploy.errors import ConfigError
from cai_deploy.places.slurm.observation import SlurmObservation
from cai_deploy.project.environment import environment_name
from cai_deploy.spec import ClusterSpec

RUNTIME = "slurm"
"""In place of a runtime image, for the name of an environment."""

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def needed(spec: ClusterSpec, seen: SlurmObservation) -> dict[str, str]:
    """The environment of each group, by group name. Raises ConfigError for a Python that is not the one here."""
    if spec.python not in (None, HERE):
        raise ConfigError(
            f"python: {spec.python} is asked for, and this is Python {HERE}",
            why="the nodes' environment is made here, with the Python that runs cai_deploy",
            next_step=f"run cai_deploy with Python {spec.python}, or leave `python` out",
        )
    locked = environment_name(seen.requirements or "", HERE, RUNTIME)
    return {group.name: spec.environment.pinned.get(group.name, locked) for group in spec.groups}
