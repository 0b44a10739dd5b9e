"""Whether a cluster is kept as specified, made smaller, or put to sleep. Pure: what is known comes in as a Pulse.

What is not known counts as work: a cluster is only ever made smaller because its head says that it is idle. Asleep
means that no node is left while everything else stays; a record in the project says since when, and why.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cai_deploy.spec import ClusterSpec, WorkerGroup


@dataclass(frozen=True)
class Activity:
    """What the head says of its work: what is ``busy``, or since when nothing is. Both times are by its clock."""

    now: datetime
    busy: tuple[str, ...] = ()
    idle_since: datetime | None = None


@dataclass(frozen=True)
class Asleep:
    """The record of a cluster that was put to sleep."""

    since: datetime
    why: str

    def to_json(self) -> str:
        """The text of the record."""
        return json.dumps({"since": shown(self.since), "why": self.why}, indent=2) + "\n"

    def __str__(self) -> str:
        return f"asleep since {shown(self.since)}, because {self.why}"


@dataclass(frozen=True)
class Pulse:
    """How a cluster lives. ``now`` and the moments of its oldest and its newest node are by the workspace's clock.

    ``activity`` is None when nobody can say; ``in_force`` is the specification that the project keeps.
    """

    now: datetime
    in_force: ClusterSpec | None = None
    asleep: Asleep | None = None
    activity: Activity | None = None
    oldest: datetime | None = None
    newest: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """What to do, and why. ``spec`` is what to hold the cluster to; it means nothing to one that sleeps."""

    what: Literal["keep", "shrink", "sleep", "rest"]
    spec: ClusterSpec
    why: str


def decide(spec: ClusterSpec, pulse: Pulse) -> Decision:
    """What ``spec`` asks for in a cluster with this ``pulse``."""
    if pulse.asleep:
        return Decision("rest", spec, str(pulse.asleep))
    if over := expired(spec, pulse.now, pulse.oldest):
        return Decision("sleep", spec, over)
    busy, idle = _work(pulse)
    if busy:
        return Decision("keep", spec, busy)
    asked = spec.idle
    if asked.stop_after is not None and idle >= timedelta(minutes=asked.stop_after):
        return Decision("sleep", spec, _without_work(idle))
    if asked.scale_down_after is not None and idle >= timedelta(minutes=asked.scale_down_after):
        return Decision("shrink", _at_floor(spec), _without_work(idle))
    return Decision("keep", spec, _without_work(idle))


def expired(spec: ClusterSpec, now: datetime, launched_at: datetime | None = None) -> str:
    """Why the time of a cluster is over, "" when it is not; one that is not there has not been launched."""
    if spec.expires_at is not None and spec.expires_at <= now:
        return f"it expired at {spec.expires_at.isoformat()}"
    if spec.lifetime is not None and launched_at is not None:
        end = launched_at + timedelta(minutes=spec.lifetime)
        if end <= now:
            return f"its lifetime of {spec.lifetime:g} minutes ended at {shown(end)}"
    return ""


def shown(moment: datetime) -> str:
    """A time as people read it, to the second."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _work(pulse: Pulse) -> tuple[str, timedelta]:
    """What keeps the cluster busy, "" for nothing; and for how long it has been idle.

    A node that was just created starts the time anew: somebody has launched, or scaled, and will have a reason.
    """
    told = pulse.activity
    if told is None:
        return "nobody can say whether it is idle", timedelta()
    if told.busy or told.idle_since is None:
        return "; ".join(told.busy) or "it has only begun to look", timedelta()
    idle = told.now - told.idle_since
    return "", min(idle, pulse.now - pulse.newest) if pulse.newest else idle


def _at_floor(spec: ClusterSpec) -> ClusterSpec:
    def smaller(group: WorkerGroup) -> WorkerGroup:
        return group.model_copy(update={"replicas": min(group.replicas, spec.idle.floor)})

    return spec.model_copy(update={"workers": tuple(smaller(group) for group in spec.workers)})


def _without_work(idle: timedelta) -> str:
    return f"it has had no work for {round(idle.total_seconds() / 60, 1):g} minutes"
