"""The loop, against a place that changes as real ones do, on a clock that no test waits for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cai_deploy.errors import NotConverged
from cai_deploy.reconcile import StepFailed, converge
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Node, NodeState, Observation, Plan, Step, Wanted, WantedNode


class FakeClock:
    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class Watcher:
    def __init__(self) -> None:
        self.told: list[str] = []

    def looked(self, plan: Plan, seen: Observation) -> None:
        pass

    def applying(self, step: Step) -> None:
        self.told.append(str(step))


class FakePlace:
    """Nodes that become ready after some looks; ``dies`` fail as often as it says before they come up."""

    name = "fake"

    def __init__(
        self, *, looks_until_ready: int = 3, dies: dict[str, int] | None = None, drops: frozenset[str] = frozenset()
    ) -> None:
        self.nodes: dict[str, int] = {}
        self.dies = dict(dies or {})
        self.drops = set(drops)
        self.looks_until_ready = looks_until_ready
        self.applied: list[str] = []

    def look(self) -> Observation:
        self.nodes = {name: looks + 1 for name, looks in self.nodes.items()}
        return Observation(nodes=tuple(self._node(name, looks) for name, looks in self.nodes.items()))

    def _node(self, name: str, looks: int) -> Node:
        ready = looks > self.looks_until_ready
        state = NodeState.RUNNING if ready else NodeState.STARTING
        if self.dies.get(name, 0) > 0:
            state, ready = NodeState.FAILED, False
        listed = ready and name not in self.drops
        return Node(name, "worker", "worker", state, name, "f", ray_state="ALIVE" if listed else "")

    def apply(self, step: Step) -> None:
        self.applied.append(f"{step.action} {step.name}")
        if step.action == "stop":
            del self.nodes[step.name]
        else:
            if step.action == "restart":
                self.drops.discard(step.name)
                self.dies[step.name] = self.dies.get(step.name, 1) - 1
            self.nodes[step.name] = 0

    def last_words(self, step: Step) -> str:
        return f"the log of {step.name}"

    def observe(self, spec: ClusterSpec) -> Observation:
        return self.look()

    def observe_cluster(self, spec: ClusterSpec) -> Observation:
        return self.look()

    def build(self, spec: ClusterSpec, seen: Observation) -> Wanted:
        return Wanted()

    def forget(self, spec: ClusterSpec) -> None:
        pass

    def node_log(self, cluster: str, node: str) -> str:
        return ""


def wanted(*names: str) -> Callable[[Observation], Wanted]:
    return lambda seen: Wanted((), tuple(WantedNode(name, "worker", "worker", "f", {}, {}) for name in names))


def run(place: FakePlace, *names: str, patience: float = 60, overdue_after: float = 30):
    clock, watcher = FakeClock(), Watcher()
    done = converge(
        place,
        place.look,
        wanted(*names),
        patience={"node": patience},
        overdue_after=overdue_after,
        clock=clock,
        progress=watcher,
    )
    return done, clock, watcher


def test_it_creates_what_is_missing_and_ends_when_all_are_ready() -> None:
    place = FakePlace()
    done, _, watcher = run(place, "a", "b")
    assert sorted(place.applied) == ["create a", "create b"]
    assert all(node.ready for node in done.seen.nodes)
    assert watcher.told == ["create node a: does not exist", "create node b: does not exist"]


def test_the_second_time_nothing_is_applied_and_nobody_sleeps() -> None:
    place = FakePlace(looks_until_ready=0)
    run(place, "a")
    done, clock, watcher = run(place, "a")
    assert done.applied == ()
    assert (clock.slept, watcher.told) == ([], [])


def test_waits_grow_so_that_a_long_wait_asks_seldom() -> None:
    _, clock, _ = run(FakePlace(looks_until_ready=40), "a", patience=600, overdue_after=600)
    assert clock.slept == sorted(clock.slept)
    assert clock.slept[0] < 0.2 < clock.slept[-1] <= 2.0


def test_a_node_that_fails_once_is_restarted() -> None:
    place = FakePlace(dies={"a": 1})
    done, _, _ = run(place, "a")
    assert place.applied == ["create a", "restart a"]
    assert done.seen.nodes[0].ready


def test_a_node_that_fails_again_is_an_error_with_its_last_words() -> None:
    with pytest.raises(StepFailed) as caught:
        run(FakePlace(dies={"a": 5}), "a")
    assert caught.value.what == "node a: has failed"
    assert caught.value.why == "the log of a"


def test_patience_ends_with_the_name_of_who_was_waited_for() -> None:
    with pytest.raises(NotConverged) as caught:
        run(FakePlace(looks_until_ready=10_000), "a", "b", patience=20, overdue_after=1000)
    assert caught.value.what == "node a: is starting, after 20 seconds of waiting"
    assert caught.value.exit_code == 3


def test_a_node_that_runs_but_never_joined_is_restarted() -> None:
    place = FakePlace(drops=frozenset({"a"}))
    run(place, "a", patience=500, overdue_after=20)
    assert place.applied == ["create a", "restart a"]


def test_what_is_no_longer_wanted_goes() -> None:
    place = FakePlace(looks_until_ready=0)
    run(place, "a", "b")
    done, _, _ = run(place, "a")
    assert place.applied[-1] == "stop b"
    assert [node.name for node in done.seen.nodes] == ["a"]
