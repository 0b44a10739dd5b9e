"""One look of the watchdog, against a place that keeps what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta, timezone

import pytest

from cai_deploy.config import parse
from cai_deploy.deploy import Superseded, put_to_sleep, watch
from cai_deploy.hibernation import Activity, Asleep, Pulse
from cai_deploy.membership import choose_members
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import (
    Ground,
    GroundState,
    Node,
    NodeState,
    Observation,
    Plan,
    Step,
    Wanted,
    WantedGround,
    WantedNode,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
SPEC = parse("{watchdog: {}, workers: [{replicas: 2}], idle: {scale_down_after: 10, stop_after: 60}}")
ALL = {"head", "worker-0", "worker-1"}


class Clock:
    def now(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here has to be waited for")


class Silent:
    def looked(self, plan: Plan, seen: Observation) -> None: ...

    def applying(self, step: Step) -> None: ...


class Claim:
    def confirm(self) -> None: ...

    def release(self) -> None: ...


class Place:
    """Nodes that are there at once, and two files. ``idle`` is for how many minutes, None when nobody can say."""

    name = "fake"
    purpose = "watchdog"

    def __init__(self, nodes: set[str], idle: float | None, asleep: Asleep | None = None) -> None:
        self.nodes, self.idle, self.asleep = set(nodes), idle, asleep
        self.in_force: ClusterSpec | None = SPEC
        self.claimed: Callable[[], None] = lambda: None
        self.steps: list[str] = []

    def observe(self, spec: ClusterSpec) -> Observation:
        kept = Ground("specification", "spec.json", GroundState.READY, spec.to_json())
        nodes = (Node(n, _role(n), _group(n), NodeState.RUNNING, n, "f", ray_state="ALIVE") for n in sorted(self.nodes))
        return Observation((kept,), tuple(nodes))

    observe_cluster = observe_leaving = observe

    def build(self, spec: ClusterSpec, seen: Observation) -> Wanted:
        members = choose_members(spec, seen.nodes).nodes
        nodes = tuple(WantedNode(name, _role(name), group.name, "f", {}, {}) for name, group in members)
        ground = (WantedGround("specification", "spec.json", spec.to_json(), {}),)
        return Wanted(ground, nodes, records=(WantedGround("record", "converged.json", spec.to_json(), {}),))

    def build_leaving(self, spec: ClusterSpec, seen: Observation) -> Wanted:
        raise AssertionError("a watchdog takes nothing down")

    def pulse(self, spec: ClusterSpec, seen: Observation) -> Pulse:
        since = None if self.idle is None else NOON - timedelta(minutes=self.idle)
        told = Activity(NOON, idle_since=since) if "head" in self.nodes and since else None
        return Pulse(NOON, self.in_force, self.asleep, told)

    def build_asleep(self, spec: ClusterSpec, seen: Observation, asleep: Asleep) -> Wanted:
        record = () if self.asleep else (WantedGround("sleep", "asleep.json", "", {"why": asleep.why}),)
        return Wanted(record, gently=True)

    def forget(self, spec: ClusterSpec) -> None:
        raise AssertionError("a watchdog forgets nothing")

    def node_log(self, cluster: str, node: str) -> str:
        return ""

    def claim(self, purpose: str) -> Claim:
        assert purpose == self.purpose
        self.claimed()
        return Claim()

    def intending(self, steps: Sequence[Step]) -> AbstractContextManager[None]:
        return nullcontext()

    def apply(self, step: Step) -> None:
        self.steps.append(f"{step.action} {step.kind} {step.name}")
        if step.kind == "sleep":
            self.asleep = Asleep(NOON, (step.request or {})["why"])
        elif step.kind == "node":
            (self.nodes.discard if step.action == "stop" else self.nodes.add)(step.name)
        else:
            raise AssertionError(f"{step} writes down what nobody wished")

    def last_words(self, step: Step) -> str:
        return ""


class Recorded(Place):
    """A place where records may be written, as for a cluster that is kept as specified."""

    def apply(self, step: Step) -> None:
        if step.kind == "record":
            self.steps.append(f"{step.action} {step.kind} {step.name}")
            self.observe = self._with_record  # type: ignore[method-assign]
        else:
            super().apply(step)

    def _with_record(self, spec: ClusterSpec) -> Observation:
        seen = Place.observe(self, spec)
        return Observation(
            (*seen.ground, Ground("record", "converged.json", GroundState.READY, spec.to_json())), seen.nodes
        )


def _role(name: str) -> str:
    return "head" if name == "head" else "worker"


_group = _role


@pytest.mark.parametrize(
    ("place", "what", "steps", "left"),
    [
        (Place(ALL, 15), "shrink", ["stop node worker-0", "stop node worker-1"], {"head"}),
        (Place({"head"}, 15), "shrink", [], {"head"}),
        (
            Place(ALL, 60),
            "sleep",
            ["create sleep asleep.json", "stop node worker-0", "stop node worker-1", "stop node head"],
            set(),
        ),
        (Place({"head"}, 60), "sleep", ["create sleep asleep.json", "stop node head"], set()),
        (Place(set(), None, Asleep(NOON, "it was idle")), "rest", [], set()),
        (Place({"head"}, 60, Asleep(NOON, "it was idle")), "rest", ["stop node head"], set()),
        (
            Recorded({"head"}, None),
            "keep",
            ["create node worker-0", "create node worker-1", "create record converged.json"],
            ALL,
        ),
        (Recorded(set(), None), "keep", ["create node head", "create node worker-0", "create node worker-1"], ALL),
    ],
)
def test_a_look(place: Place, what: str, steps: list[str], left: set[str]) -> None:
    watched = watch(place, SPEC, Silent(), Clock())
    assert watched.decision.what == what
    assert place.steps[: len(steps)] == steps
    assert place.nodes == left


def test_work_that_comes_while_the_cluster_is_claimed_keeps_it_awake() -> None:
    place = Recorded(ALL, 60)

    def work_comes() -> None:
        place.idle = None

    place.claimed = work_comes
    assert watch(place, SPEC, Silent(), Clock()).decision.what == "keep"
    assert (place.nodes, place.asleep) == (ALL, None)


@pytest.mark.parametrize("in_force", [None, ClusterSpec()])
def test_a_cluster_that_was_changed_or_removed_meanwhile_is_left_alone(in_force: ClusterSpec | None) -> None:
    place = Place(set(), None)

    def somebody_was_faster() -> None:
        place.in_force = in_force

    place.claimed = somebody_was_faster
    with pytest.raises(Superseded):
        watch(place, SPEC, Silent(), Clock())
    assert place.steps == []


def test_a_sleep_that_somebody_asks_for_is_noted_before_the_nodes_go_and_is_asked_for_once() -> None:
    place = Place(ALL, idle=0)
    place.purpose = "sleep"
    put_to_sleep(place, SPEC, Silent(), Clock(), why="it is Friday")
    assert place.steps[0] == "create sleep asleep.json"
    assert place.steps[-1] == "stop node head"
    assert (place.nodes, place.asleep) == (set(), Asleep(NOON, "it is Friday"))
    again = put_to_sleep(place, SPEC, Silent(), Clock(), why="it is Saturday")
    assert (again.applied, place.asleep) == ((), Asleep(NOON, "it is Friday"))
