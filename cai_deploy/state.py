"""The nouns of change: what a place shows, what is wanted, and the steps between.

Values only. A place fills an Observation and builds a Wanted, ``plan.py`` compares the two, ``reconcile.py`` has the
steps applied. None of these knows which place it is, so that one planner serves all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from cai_deploy.connection import ConnectionInfo

Request = Mapping[str, Any]
"""The very request that a step sends, as plain data: what ``plan`` prints is what ``apply`` uses."""

ALIVE = "ALIVE"
"""Ray's own word for a node that takes work."""


class NodeState(str, Enum):
    """What a place says of a node; each place has one table from its raw words to these."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    UNKNOWN = "unknown"


class GroundState(str, Enum):
    """What a place says of groundwork."""

    ABSENT = "absent"
    IN_PROGRESS = "in progress"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Node:
    """One member as the place shows it. ``ray_state`` is what Ray says of it, "" while Ray does not list it.

    ``facts`` are its settings as they really are, by the names that ``WantedNode.facts`` uses.
    """

    name: str
    role: Literal["head", "worker"]
    group: str
    state: NodeState
    native_id: str
    fingerprint: str
    address: str = ""
    ray_state: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Ready means that Ray lists the node ALIVE, not that the place calls it running."""
        return self.state is NodeState.RUNNING and self.ray_state == ALIVE


@dataclass(frozen=True)
class Ground:
    """One piece of groundwork as the place shows it. ``reason`` says why it is in a state that is not READY."""

    kind: str
    name: str
    state: GroundState
    fingerprint: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Observation:
    """Everything that the place shows now. ``strangers`` are names that are taken by what is not ours."""

    ground: tuple[Ground, ...] = ()
    nodes: tuple[Node, ...] = ()
    connection: ConnectionInfo | None = None
    strangers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class WantedGround:
    """Groundwork that must stand before nodes can, with the request that makes it."""

    kind: str
    name: str
    fingerprint: str
    request: Request


@dataclass(frozen=True)
class WantedNode:
    """A node that must exist: ``create`` makes it, ``update`` turns an older one of that name into it.

    ``facts`` are the settings to compare; what a place adds by itself is left out. Those in ``in_place`` can be changed
    while the node runs.
    """

    name: str
    role: Literal["head", "worker"]
    group: str
    fingerprint: str
    create: Request
    update: Request
    facts: Mapping[str, Any] = field(default_factory=dict)
    in_place: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wanted:
    """All that must exist, groundwork in the order in which it is needed. Nothing wanted is ``Wanted()``."""

    ground: tuple[WantedGround, ...] = ()
    nodes: tuple[WantedNode, ...] = ()


Action = Literal["create", "update", "restart", "stop", "wait"]


@dataclass(frozen=True)
class Step:
    """One change, or one thing to wait for, with the reason. ``phase`` orders: lower phases are done first.

    ``update`` changes something while it runs; ``restart`` starts it anew, with ``request`` sent first if there is one.
    """

    action: Action
    kind: str
    name: str
    reason: str
    phase: int
    native_id: str = ""
    request: Request | None = None

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.name}: {self.reason}"


@dataclass(frozen=True)
class Plan:
    """The difference between what is wanted and what is there. Empty means converged."""

    steps: tuple[Step, ...] = field(default_factory=tuple)

    @property
    def converged(self) -> bool:
        return not self.steps

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that change something, in order."""
        return tuple(step for step in self.steps if step.action != "wait")

    def due(self) -> tuple[Step, ...]:
        """The changes that can be made now: those of the earliest phase, unless that phase is still waiting.

        Waiting steps hold back later phases only: a starting worker does not keep its sibling from being created.
        """
        first = min((step.phase for step in self.steps), default=0)
        return tuple(step for step in self.changes if step.phase == first)
