"""What ``docker inspect`` says of containers, and the one table from its words to ours. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from cai_deploy.places.compose.errors import UnreadableAnswer
from cai_deploy.places.compose.marks import Mark, read
from cai_deploy.state import NodeState

STATES = {
    "created": NodeState.STARTING,
    "restarting": NodeState.STARTING,
    "running": NodeState.RUNNING,
    "paused": NodeState.STOPPED,
    "removing": NodeState.STOPPING,
    "exited": NodeState.STOPPED,
    "dead": NodeState.FAILED,
}
"""Docker's words. ``created`` is that of a container too that Docker could not start, see :func:`state_of`."""

HOPELESS = 4
"""Starts by the restart policy after which somebody had better look."""


TRAITS = "{{json .SecurityOptions}}\t{{.CgroupDriver}}\t{{.CPUCfsQuota}}\t{{.MemoryLimit}}"
"""What ``docker info`` is asked for, see :class:`Traits`."""


@dataclass(frozen=True)
class Traits:
    """What an engine can do. On a ``rootless`` one root in a container is we ourselves outside.

    ``limits`` says that it holds containers to their CPUs and memory; one that has cgroups and does not have those of
    CPUs ``refuses_cpus``, where one without cgroups overlooks them.
    """

    rootless: bool = False
    limits: bool = True
    refuses_cpus: bool = False


def read_traits(told: str) -> Traits:
    """From what ``docker info`` answers to ``TRAITS``."""
    options, driver, cpus, memory, *_ = [*told.strip().split("\t"), "", "", ""]
    return Traits(
        rootless="name=rootless" in options,
        limits=(cpus, memory) == ("true", "true"),
        refuses_cpus=driver != "none" and cpus != "true",
    )


@dataclass(frozen=True)
class Container:
    """One container of ours. ``started`` is in seconds since 1970, 0.0 for one that never was."""

    id: str
    name: str
    mark: Mark
    status: str
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""
    started: float = 0.0
    restarts: int = 0
    health: str = ""

    @property
    def state(self) -> NodeState:
        """What it is as a node."""
        state = STATES.get(self.status, NodeState.UNKNOWN)
        never_began = self.status == "created" and bool(self.error)
        ended_badly = self.status == "exited" and (self.exit_code != 0 or self.out_of_memory)
        again_and_again = self.status == "restarting" and self.restarts >= HOPELESS
        return NodeState.FAILED if never_began or ended_badly or again_and_again else state

    @property
    def reason(self) -> str:
        """Why it is in its state, "" where there is nothing to say."""
        if self.error:
            return self.error
        if self.status == "running":
            return "its health check fails" if self.health == "unhealthy" else ""
        if self.status == "paused":
            return "it is paused"
        if self.status in ("exited", "restarting"):
            ended = "its memory was used up" if self.out_of_memory else f"it ended with status {self.exit_code}"
            return f"{ended}, and was started again {self.restarts} times" if self.restarts else ended
        return ""


def read_containers(text: str) -> tuple[Container, ...]:
    """The containers in an answer that have our mark."""
    try:
        return tuple(found for each in json.loads(text) if (found := _container(each)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableAnswer("docker inspect", f"{type(error).__name__}: {error}") from error


def _container(told: Mapping[str, Any]) -> Container | None:
    mark = read(told["Config"].get("Labels") or {})
    if mark is None:
        return None
    state = told["State"]
    return Container(
        id=told["Id"],
        name=told["Name"].lstrip("/"),
        mark=mark,
        status=state["Status"],
        exit_code=state.get("ExitCode", 0),
        out_of_memory=bool(state.get("OOMKilled")),
        error=state.get("Error") or "",
        started=_seconds(state.get("StartedAt") or ""),
        restarts=told.get("RestartCount", 0),
        health=(state.get("Health") or {}).get("Status", ""),
    )


def _seconds(moment: str) -> float:
    """Docker's time has nine digits behind the second, more than Python reads."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", moment)
    if not match or moment.startswith("0001"):
        return 0.0
    return datetime.fromisoformat(match[1]).replace(tzinfo=timezone.utc).timestamp()


def version_of(text: str) -> tuple[int, ...]:
    """``v2.27.1-desktop.1`` as numbers; none when there are none."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(number or 0) for number in match.groups()) if match else ()
