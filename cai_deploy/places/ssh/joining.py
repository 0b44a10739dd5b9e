"""How this machine becomes a node of a cluster whose specification does not name it.

It is the worker that a launch would put on a host, started here: the same copy of the program, the same environment,
the same keeper. All of it stands in one directory, which goes when the worker does. The deployer leaves it alone.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cai_deploy import layout
from cai_deploy.errors import ConfigError
from cai_deploy.node import host_control
from cai_deploy.node.head_search import listens
from cai_deploy.node.joined import JOINED
from cai_deploy.node.secret_file import write_closed
from cai_deploy.places.code import code_digest, copy_code
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.places.node_groups import settings_of
from cai_deploy.places.ssh.environments import RUNTIME, minor
from cai_deploy.places.ssh.invitation import HeadDoor, Invitation
from cai_deploy.places.ssh.marks import Mark
from cai_deploy.places.ssh.own_network import choose
from cai_deploy.project.environment import build_environment, environment_name
from cai_deploy.render import Launcher, render_launcher
from cai_deploy.spec import WorkerGroup

GRACE = 10.0
SHARE_OF_MEMORY = 0.7
"""Of a machine's memory, where nobody says how much: what it does besides needs some."""

NAME = re.compile(r"[a-z](-?[a-z0-9])*")


@dataclass(frozen=True)
class Wish:
    """What a person asks for; None is left to be found. ``cpu``, ``memory_gb`` and ``gpu`` are what the node offers."""

    name: str | None = None
    address: str | None = None
    bind: str | None = None
    cpu: float | None = None
    memory_gb: float | None = None
    gpu: int | None = None


@dataclass(frozen=True)
class Start:
    """A worker of this machine, as it is to be started in ``directory``."""

    directory: Path
    request: dict[str, Any]
    launcher: Launcher
    environment: str

    @property
    def node(self) -> str:
        """What it is called."""
        return str(self.request["node"])

    @property
    def shape(self) -> str:
        """A digest of all that it is started with."""
        return str(self.request["mark"]["fingerprint"])


def drafted(door: HeadDoor, invitation: Invitation, wish: Wish, directory: Path) -> Start:
    """What joining comes to here; nothing is begun. Raises ConfigError for what cannot be."""
    connection, spec = invitation.connection, invitation.spec
    _require_python(connection.python_version)
    name = wish.name or default_name()
    gcs_host = connection.gcs_address.rpartition(":")[0]
    own = choose(gcs_host, wish.address, wish.bind)
    _require_free(name, own, invitation)
    if not listens(connection.gcs_address):
        raise ConfigError(
            f"the head answers at {door.address}, but its GCS at {connection.gcs_address} is not reached from here",
            next_step="open the way to it, or have the head's host say in `bind` where others reach it",
        )
    environment = environment_name(invitation.requirements, minor(connection.python_version), RUNTIME)
    settings = settings_of(_group(wish, directory), spec, environment)
    launcher = render_launcher(settings, layout.worker_launcher_file(spec.name, JOINED))
    shape = fingerprint(f"{launcher.fingerprint} {door.address} {own}")
    mark = Mark(spec.name, _owner(directory), name, JOINED, shape, 0, own)
    request = {
        "cluster": spec.name,
        "node": name,
        "mark": {**mark.fields(), "head": door.address, "stop_timeout": spec.timeouts.stop + GRACE},
        "keeper": mark.keeper,
        "replace": False,
        "seconds": spec.timeouts.stop + GRACE,
        "output": layout.job_output_file(spec.name, name),
        "environment": _variables(name, environment, own, connection.gcs_address, directory),
        "command": [os.path.realpath(sys.executable), launcher.path],
        "farewell": {"paths": [launcher.path], "kept": []},
    }
    return Start(directory, request, launcher, environment)


def begin(start: Start, door: HeadDoor, invitation: Invitation, say: Callable[[str], None]) -> None:
    """Bring what it needs, and start it. Raises DeployError."""
    root, spec = start.directory, invitation.spec
    root.mkdir(mode=0o700, exist_ok=True)
    copy_code(root, code_digest())
    locked = root / layout.locked_file(spec.name)
    locked.parent.mkdir(parents=True, exist_ok=True)
    locked.write_text(invitation.requirements, encoding="utf-8")
    (root / start.launcher.path).write_text(start.launcher.text, encoding="utf-8")
    if spec.authentication == "token":
        token = root / layout.token_file(spec.name)
        token.unlink(missing_ok=True)
        write_closed(token, door.token)
    say(f"environment {start.environment}: built here unless it stands")
    python = minor(platform.python_version())
    path = Path(layout.locked_file(spec.name))
    build_environment(root, path, python, start.environment, timeout=spec.timeouts.setup)
    host_control.start(root, start.request)


def default_name() -> str:
    """After the machine."""
    words = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().split(".")[0].lower()).strip("-")
    return f"{JOINED}-{words or 'worker'}"


def _require_python(head: str) -> None:
    here = platform.python_version()
    if here != head:
        raise ConfigError(
            f"the head has Python {head}, this is Python {here}",
            why="Ray lets no node join that runs another Python than its head",
            next_step=f"run this with Python {head} (uv python install {head})",
        )


def _require_free(name: str, own: str, invitation: Invitation) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError(f"--name {name} is no name", next_step="use lower-case letters, digits and single hyphens")
    wanted = {member for member, _ in invitation.spec.members()}
    there = invitation.nodes.get(name, own)
    if name in wanted or there != own:
        where = f"the node at {there}" if there != own else "a node of the specification"
        raise ConfigError(
            f"{name} is {where} already",
            next_step="choose another name with --name; if it is this machine under another address, let it leave "
            "first: python -m cai_deploy worker leave",
        )


def _group(wish: Wish, directory: Path) -> WorkerGroup:
    """A group of this one worker: what was asked for, or what the machine has."""
    seen = host_control.probe(directory, {"cluster": ""})
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    fields = {
        "name": JOINED,
        "cpu": wish.cpu if wish.cpu is not None else seen["cpu"],
        "memory_gb": wish.memory_gb if wish.memory_gb is not None else round(memory * SHARE_OF_MEMORY, 1),
        "gpu": wish.gpu if wish.gpu is not None else seen["gpu"],
    }
    try:
        return WorkerGroup.model_validate(fields)
    except ValidationError as error:
        told = "; ".join(f"--{str(each['loc'][0]).replace('_', '-')}: {each['msg']}" for each in error.errors())
        raise ConfigError(told, next_step="say what this machine gives to the cluster") from error


def _variables(name: str, environment: str, own: str, gcs_address: str, directory: Path) -> dict[str, str]:
    return {
        "CAI_DEPLOY_NODE": name,
        "CAI_DEPLOY_ENVIRONMENT": environment,
        "CAI_DEPLOY_PLACE": "ssh",
        "CAI_DEPLOY_ADDRESS": own,
        "RAY_HEAD_ADDRESS": gcs_address,
        "PYTHONPATH": f"{directory}/{layout.code_dir(code_digest())}",
    }


def _owner(directory: Path) -> str:
    return hashlib.sha256(f"{socket.gethostname()}:{directory}".encode()).hexdigest()[:16]
