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
from cai_deploy.spec import ClusterSpec, Update, WorkerGroup

Request = Mapping[str, Any]
"""The very request that a step sends, as plain data: what ``plan`` prints is what ``apply`` uses."""

GRACE = 30.0
"""Seconds between the moment at which something should be over and the one at which it is taken for stuck."""

ALIVE = "ALIVE"
"""Ray's own word for a node that takes work."""

DRAINING = "DRAINING"
"""A node that finishes its work and takes no more, as it was asked to."""

DRAINED = "DRAINED"
"""A node that has left Ray after draining; its place in the platform is still there."""


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

    ``facts`` are its settings as they really are, by the names that ``WantedNode.facts`` uses. ``idle`` is None when
    nobody knows; ``drain`` is the request that has Ray move work off the node, None where that cannot be asked.
    ``stale`` is whether it was changed and has not been started anew since. ``reason`` is why it is in its state, in
    words for people, where the place knows.
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
    idle: bool | None = None
    drain: Request | None = None
    stale: bool = False
    reason: str = ""

    @property
    def ready(self) -> bool:
        """Ready means that Ray lists the node ALIVE, not that the place calls it running."""
        return self.state is NodeState.RUNNING and self.ray_state == ALIVE


@dataclass(frozen=True)
class Ground:
    """One piece of groundwork as the place shows it. ``reason`` says why it is in a state that is not READY.

    ``facts`` are its settings as they really are, by the names that ``WantedGround.facts`` uses.
    """

    kind: str
    name: str
    state: GroundState
    fingerprint: str = ""
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Home:
    """Where programs find the project's files: ``directory`` as they name it, and ``where`` that is so, for people."""

    directory: str = "~"
    where: str = "in the project"


@dataclass(frozen=True)
class Observation:
    """Everything that the place shows now. ``strangers`` are names that are taken by what is not ours.

    Should a node be there twice, both are in ``nodes``, the one to keep first. ``joined`` are those that people brought
    by hand, which no plan changes. ``ends`` says of nodes that are gone how they ended, by name, where the place still
    knows.
    """

    ground: tuple[Ground, ...] = ()
    nodes: tuple[Node, ...] = ()
    joined: tuple[Node, ...] = ()
    connection: ConnectionInfo | None = None
    strangers: frozenset[str] = frozenset()
    ends: Mapping[str, str] = field(default_factory=dict)
    home: Home = Home()


@dataclass(frozen=True)
class WantedGround:
    """Groundwork that must stand before nodes can, with the request that makes it.

    What is to be ``gone`` must not be there instead, and the request removes it. ``update`` changes one that is there,
    where that takes another request. ``facts`` are settings to compare; of those that no update changes, ``fixed`` says
    why, and such a piece is replaced by a new one.
    """

    kind: str
    name: str
    fingerprint: str
    request: Request
    gone: bool = False
    update: Request | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WantedNode:
    """A node that must exist: ``create`` makes it, ``update`` has an older one become it at its next start.

    ``facts`` are the settings to compare; what a place adds by itself is left out. Those in ``in_place`` can be changed
    while the node runs, which ``touch`` does.
    """

    name: str
    role: Literal["head", "worker"]
    group: str
    fingerprint: str
    create: Request
    update: Request
    touch: Request = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    in_place: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rollout:
    """How many nodes of a group may be down, and how many more than wanted may run, while its nodes are changed."""

    max_unavailable: int = 1
    max_surge: int = 0

    @classmethod
    def of(cls, group: WorkerGroup, update: Update) -> Rollout:
        """What the specification says, in numbers of nodes."""
        return cls(update.unavailable_of(group.replicas), update.surge_of(group.replicas))


@dataclass(frozen=True)
class Limits:
    """Seconds after which a node that still drains, stops, or runs without Ray listing it is dealt with."""

    join: float = 300.0
    drain: float = 60.0
    stop: float = 60.0

    @classmethod
    def of(cls, spec: ClusterSpec) -> Limits:
        """What the specification says, and a while for the place to act on it."""
        return cls(spec.timeouts.join, spec.update.drain + GRACE, spec.timeouts.stop + GRACE)


@dataclass(frozen=True)
class Wanted:
    """All that must exist, groundwork in the order in which it is needed. Nothing wanted is ``Wanted()``.

    ``spares`` are nodes that may exist while their group is rolled, ``rollouts`` how it is rolled (by group name);
    ``records`` are written last, once everything else is as wanted. ``gently`` is whether workers finish their work
    although the head goes too.
    """

    ground: tuple[WantedGround, ...] = ()
    nodes: tuple[WantedNode, ...] = ()
    spares: tuple[WantedNode, ...] = ()
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    records: tuple[WantedGround, ...] = ()
    limits: Limits = Limits()
    gently: bool = False


Action = Literal["create", "update", "replace", "drain", "restart", "stop", "wait"]


@dataclass(frozen=True)
class Step:
    """One change, or one thing to wait for, with the reason. ``phase`` orders: lower phases are done first.

    ``update`` changes something while it runs; ``replace`` makes it anew and removes what is there; ``drain`` has Ray
    move work off a node; ``restart`` starts it anew, with ``request`` sent first if there is one.
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
