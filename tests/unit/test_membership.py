"""Which nodes stay, which go, and what new ones are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cai_deploy.config import parse
from cai_deploy.membership import choose_members
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Node, NodeState

IDLE, BUSY = True, False


def node(
    name: str, *, idle: bool | None = None, state: NodeState = NodeState.RUNNING, ray_state: str = "ALIVE"
) -> Node:
    return Node(name, "worker", name.rpartition("-")[0], state, f"id-{name}", "f", "", ray_state, {}, idle)


def chosen(spec: ClusterSpec, *there: Node) -> list[str]:
    return [name for name, _ in choose_members(spec, there).nodes[1:]]


TWO = ClusterSpec().scaled(2)


W0, W1, W2 = (node(f"worker-{number}") for number in range(3))

ROWS = {
    "from nothing": ([], ["worker-0", "worker-1"]),
    "the lowest free name": ([W0], ["worker-0", "worker-1"]),
    "names need not be in a row": ([node("worker-5")], ["worker-0", "worker-5"]),
    "enough are there already": ([W1, node("worker-3")], ["worker-1", "worker-3"]),
    "of equals the highest goes": ([W0, W1, W2], ["worker-0", "worker-1"]),
    "ten comes after nine": ([node("worker-9"), node("worker-10"), W2], ["worker-2", "worker-9"]),
    "the idle one goes": (
        [replace(W0, idle=IDLE), replace(W1, idle=BUSY), replace(W2, idle=BUSY)],
        ["worker-1", "worker-2"],
    ),
    "idle before unknown before busy": ([W0, replace(W1, idle=IDLE), replace(W2, idle=BUSY)], ["worker-0", "worker-2"]),
    "one that is not up goes before one that is idle": (
        [replace(W0, state=NodeState.FAILED), replace(W1, idle=IDLE), W2],
        ["worker-1", "worker-2"],
    ),
    "one that drains goes on going": (
        [replace(W0, ray_state="DRAINING"), W1, replace(W2, state=NodeState.STARTING)],
        ["worker-1", "worker-2"],
    ),
    "one that stops goes on going": (
        [replace(W0, state=NodeState.STOPPING), replace(W1, ray_state=""), W2],
        ["worker-1", "worker-2"],
    ),
}


@pytest.mark.parametrize(("there", "stay"), ROWS.values(), ids=ROWS)
def test_two_workers(there: list[Node], stay: list[str]) -> None:
    assert chosen(TWO, *there) == stay


def test_groups_are_chosen_apart() -> None:
    spec = parse("workers: [{name: worker, replicas: 1}, {name: gpu, replicas: 1}]")
    assert chosen(spec, node("gpu-4"), node("worker-0"), node("worker-1")) == ["worker-0", "gpu-4"]


def test_what_has_been_chosen_to_go_stays_chosen_while_it_goes() -> None:
    before = [node("worker-0", idle=IDLE), node("worker-1", idle=BUSY), node("worker-2", idle=BUSY)]
    assert "worker-0" not in chosen(TWO, *before)
    drains = replace(before[0], ray_state="DRAINING", idle=None)
    now_idle = [replace(each, idle=IDLE) for each in before[1:]]
    assert "worker-0" not in chosen(TWO, drains, *now_idle)


def test_spares_are_those_that_are_there_and_then_free_names() -> None:
    spec = parse("workers: [{replicas: 2}]\nupdate: {max_surge: 2}")
    there = [node("worker-0"), node("worker-1"), node("worker-2")]
    assert [name for name, _ in choose_members(spec, there).spares] == ["worker-2", "worker-3"]
    assert choose_members(TWO, there).spares == ()


@pytest.mark.parametrize(
    ("update", "replicas", "down", "more"),
    [
        ("{}", 1, 1, 0),
        ("{}", 4, 1, 0),
        ("{}", 8, 2, 0),
        ("{max_unavailable: 3}", 2, 3, 0),
        ("{max_unavailable: 0}", 2, 1, 0),
        ("{max_unavailable: 0, max_surge: 1}", 2, 0, 1),
        ("{max_unavailable: 0, max_surge: 50%}", 1, 1, 0),
        ("{max_surge: 100%}", 3, 0, 3),
    ],
)
def test_how_many_at_a_time(update: str, replicas: int, down: int, more: int) -> None:
    policy = parse(f"update: {update}").update
    assert (policy.unavailable_of(replicas), policy.surge_of(replicas)) == (down, more)
