"""Which environment the nodes of each group run on, and whether the Pythons of hosts go together. Pure.

Each host builds its own with its own Python. Ray lets no node join whose Python is another one, down to its patch
version, and says so only after a while in its own words; here it is an error before anything is started.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cai_deploy.errors import ConfigError
from cai_deploy.project.environment import environment_name
from cai_deploy.spec import ClusterSpec

if TYPE_CHECKING:
    from cai_deploy.places.ssh.control import HostState  # knows SSH, which a machine that joins does not need

RUNTIME = "ssh"
"""In place of a runtime image, for the name of an environment."""


def needed(spec: ClusterSpec, requirements: str | None, python: str) -> dict[str, str]:
    """The environment of each group, by group name, for hosts that have this ``python``."""
    locked = environment_name(requirements or "", minor(python), RUNTIME)
    return {group.name: spec.environment.pinned.get(group.name, locked) for group in spec.groups}


def common_python(spec: ClusterSpec, hosts: Mapping[str, HostState], used: Iterable[str], head: str) -> str:
    """The Python of all ``used`` hosts. Raises ConfigError where there is none."""
    pythons = {name: hosts[name].python for name in dict.fromkeys((head, *used)) if name in hosts}
    python = pythons[head]
    others = {name: found for name, found in pythons.items() if found != python}
    if others:
        told = ", ".join(f"{name} has {found}" for name, found in others.items())
        raise ConfigError(
            f"hosts have different Pythons: {head} has {python}, {told}",
            why="Ray lets no node join that runs another Python than its head",
            next_step=f"install Python {python} there (uv python install {python}), and set `python` of the host to it",
        )
    if spec.python not in (None, minor(python)):
        raise ConfigError(
            f"python: {spec.python} is asked for, and the hosts have Python {python}",
            next_step=f"set `python` of each host to a Python {spec.python}, or leave `python` out",
        )
    return python


def minor(python: str) -> str:
    """``3.11`` of ``3.11.7``."""
    return ".".join(python.split(".")[:2])
