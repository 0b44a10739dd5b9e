"""The words on the kubelet's socket: one JSON object a line, either way.

Requests are ``{"op": ..., ...}``, answers ``{"ok": true, ...}`` or ``{"error": "..."}``. After ``watch`` the
connection carries a line for each pod that changes, until one side closes it. The answer to ``socket`` brings a file
descriptor along.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

PodState = Literal["running", "ended"]


@dataclass(frozen=True)
class PodSpec:
    """One pod to run. ``address`` and ``shm_bytes`` count in an isolated kubelet only.

    ``scratch`` is a directory that goes away with the pod; an isolated pod has it for its /tmp, in which only the
    directories of the host's /tmp in ``keep`` are still seen.
    """

    name: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    log: str
    hostname: str = ""
    address: str = ""
    shm_bytes: int = 0
    scratch: str = ""
    keep: list[str] = field(default_factory=list)


@dataclass
class PodStatus:
    """What the kubelet knows of a pod; ``exit_code`` is 128 + signal for a killed one, None while it runs."""

    name: str
    pid: int
    address: str
    state: PodState = "running"
    exit_code: int | None = None


def encode(message: dict[str, Any]) -> bytes:
    """One line for the socket."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The object on a line; ValueError for anything else."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")  # noqa: TRY004 - one error for every bad line
    return message


def spec_message(spec: PodSpec) -> dict[str, Any]:
    """The request that starts a pod."""
    return {"op": "start", "pod": asdict(spec)}


def status_from(message: dict[str, Any]) -> PodStatus:
    """Read back what the kubelet tells of a pod."""
    return PodStatus(**message)
