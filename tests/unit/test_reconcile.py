"""The loop, against a place that changes as real ones do, on a clock that no test waits for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import accumulate

import pytest

from cai_deploy.errors import DeployError, NotConverged, PlaceUnreachable
from cai_deploy.places.base import Claim, HeldByAnother, LeaseLost
from cai_deploy.reconcile import Goal, StepFailed, converge
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Limits, Node, NodeState, Observation, Plan, Step, Wanted, WantedNode


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


class FakeClaim:
    def __init__(self, place: FakePlace) -> None:
        self.place = place
        self.lost = False
        self.released = False

    def confirm(self) -> None:
        if self.lost:
            raise LeaseLost("the claim is lost")

    def release(self) -> None:
        self.released = True


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
        self.held_for = 0
        self.claim_taken: FakeClaim | None = None

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

    def claim(self, purpose: str) -> Claim | None:
        if self.held_for > 0:
            self.held_for -= 1
            raise HeldByAnother("fake", why="is being changed by somebody")
        self.claim_taken = FakeClaim(self)
        return self.claim_taken

    def intending(self, steps: Sequence[Step]) -> AbstractContextManager[None]:
        return nullcontext()

    def node_log(self, cluster: str, node: str) -> str:
        return ""


def wanted(*names: str, join: float) -> Callable[[Observation], Wanted]:
    return lambda seen: Wanted(
        (), tuple(WantedNode(name, "worker", "worker", "f", {}, {}) for name in names), limits=Limits(join, stop=join)
    )


def run(place: FakePlace, *names: str, patience: float = 60, overdue_after: float = 30):
    clock, watcher = FakeClock(), Watcher()
    patient = {"node": patience, "lease": 60.0}
    goal = Goal(place.look, wanted(*names, join=overdue_after), patient, "test")
    done = converge(place, goal, clock=clock, progress=watcher)
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


def test_waits_grow_so_that_a_long_wait_asks_seldom_and_sees_its_end_soon() -> None:
    _, clock, _ = run(FakePlace(looks_until_ready=80), "a", patience=600, overdue_after=600)
    assert clock.slept == sorted(clock.slept)
    assert (clock.slept[0], clock.slept[-1]) == (0.1, 2.0)
    waited = list(accumulate(clock.slept, initial=0.0))
    assert all(pause <= max(0.1, 0.08 * before) for pause, before in zip(clock.slept, waited, strict=False))


def test_a_look_that_takes_long_is_taken_seldom() -> None:
    place, clock = FakePlace(), FakeClock()

    def look() -> Observation:
        clock.time += 0.7
        return place.look()

    goal = Goal(look, wanted("a", join=600), {"node": 600.0, "lease": 60.0}, "test")
    converge(place, goal, clock=clock, progress=Watcher())
    assert clock.slept == pytest.approx([0.7] * len(clock.slept))
    assert clock.slept


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


def test_the_cluster_is_claimed_before_the_first_change_and_given_back() -> None:
    place = FakePlace()
    run(place, "a")
    assert place.claim_taken is not None
    assert place.claim_taken.released


def test_who_changes_nothing_claims_nothing() -> None:
    place = FakePlace(looks_until_ready=0)
    place.nodes["a"] = 1
    run(place, "a")
    assert place.claim_taken is None


def test_the_second_deployer_waits_for_the_first() -> None:
    place = FakePlace()
    place.held_for = 5
    run(place, "a")
    assert place.applied == ["create a"]


def test_it_does_not_wait_for_ever_and_says_who_it_was() -> None:
    place = FakePlace()
    place.held_for = 10_000
    with pytest.raises(NotConverged) as caught:
        run(place, "a")
    assert caught.value.what == "lease fake: is being changed by somebody, after 60 seconds of waiting"
    assert place.applied == []


def test_a_claim_that_is_lost_ends_the_run_before_the_next_change() -> None:
    place = FakePlace(dies={"a": 1})

    class Losing(Watcher):
        def applying(self, step: Step) -> None:
            if step.action == "restart" and place.claim_taken:
                place.claim_taken.lost = True

    goal = Goal(place.look, wanted("a", join=30), {"node": 60.0}, "test")
    with pytest.raises(LeaseLost):
        converge(place, goal, clock=FakeClock(), progress=Losing())
    assert place.applied == ["create a"]
    assert place.claim_taken is not None
    assert place.claim_taken.released


def test_what_does_not_go_is_named_with_its_id() -> None:
    class Hanging(FakePlace):
        def _node(self, name: str, looks: int) -> Node:
            return Node(name, "worker", "worker", NodeState.STOPPING, f"id-{name}", "f")

        def apply(self, step: Step) -> None:
            self.applied.append(f"{step.action} {step.name}")

    place = Hanging()
    place.nodes = {"a": 0, "b": 0}
    with pytest.raises(StepFailed) as caught:
        run(place, patience=6000, overdue_after=10)
    assert caught.value.what == "node a (id-a), b (id-b): is still stopping"
    assert place.applied.count("stop a") == 5


def test_the_first_refusal_keeps_the_others_from_being_sent() -> None:
    class Refusing(FakePlace):
        def apply(self, step: Step) -> None:
            self.applied.append(step.name)
            raise DeployError("no quota")

    place = Refusing()
    names = [f"n{number}" for number in range(500)]
    with pytest.raises(DeployError, match="no quota"):
        run(place, *names)
    assert len(place.applied) <= 10


def test_a_change_that_fails_says_who_was_left_as_before() -> None:
    nodes = [WantedNode(name, "worker", "worker", "new", {}, {"body": name}) for name in ("a", "b", "c")]

    class Rolling(FakePlace):
        def look(self) -> Observation:
            return Observation(nodes=tuple(self._member(name) for name in ("a", "b", "c")))

        def _member(self, name: str) -> Node:
            if f"restart {name}" in self.applied:
                return Node(name, "worker", "worker", NodeState.FAILED, name, "new")
            return Node(name, "worker", "worker", NodeState.RUNNING, name, "old", ray_state="ALIVE")

        def apply(self, step: Step) -> None:
            self.applied.append(f"{step.action} {step.name}")

    place = Rolling()
    goal = Goal(place.look, lambda seen: Wanted((), tuple(nodes)), {"node": 60.0}, "test")
    with pytest.raises(StepFailed) as caught:
        converge(place, goal, clock=FakeClock(), progress=Watcher())
    assert caught.value.why == "the log of a\nthe change stops here; as before it: b, c"
    assert "--rollback" in caught.value.next_step
    assert place.applied == ["restart a", "restart a"]


class Unreachable(FakePlace):
    """Does not answer from its ``first`` look on, ``times`` times."""

    def __init__(self, first: int, times: int) -> None:
        super().__init__()
        self._looks = 0
        self._silent = range(first, first + times)

    def look(self) -> Observation:
        self._looks += 1
        if self._looks in self._silent:
            raise PlaceUnreachable("no answer")
        return super().look()


def test_a_place_that_is_out_of_reach_for_a_while_is_looked_at_again_once_nodes_are_on_their_way() -> None:
    done, _, _ = run(Unreachable(first=4, times=10), "a")
    assert done.seen.nodes[0].ready


@pytest.mark.parametrize(("first", "slept"), [(1, 0), (4, 60)])
def test_a_place_that_stays_out_of_reach_ends_it_at_once_or_after_a_minute(first: int, slept: float) -> None:
    clock = FakeClock()
    place = Unreachable(first, 1000)
    goal = Goal(place.look, wanted("a", join=30), {"node": 600.0, "lease": 60.0}, "test")
    with pytest.raises(PlaceUnreachable):
        converge(place, goal, clock=clock, progress=Watcher())
    assert sum(clock.slept) == pytest.approx(slept, abs=3)
