"""From the records of hosts to nodes."""

from __future__ import annotations

import pytest

from cai_deploy.places.ray_status import RayNode, RayView
from cai_deploy.places.ssh import placement
from cai_deploy.places.ssh.members import ours, strangers, to_node, unseen
from cai_deploy.places.ssh.placement import Placement
from cai_deploy.places.ssh.states import state_of
from cai_deploy.ssh_hosts import SshHost
from cai_deploy.state import ALIVE, DRAINED, Node, NodeState
from tests.unit.places.ssh.samples import OWNER, SPEC, host, record


@pytest.mark.parametrize(
    ("told", "state", "reason"),
    [
        ({}, NodeState.RUNNING, ""),
        ({"launched": 0.0}, NodeState.STARTING, "it waits for what ran there before"),
        ({"stopping": True}, NodeState.STOPPING, "it was told to end, and is ending"),
        ({"lives": False, "ended": {"status": 1}}, NodeState.FAILED, "it ended with status 1"),
        ({"lives": False, "ended": {"status": 0}}, NodeState.FAILED, "it ended"),
        (
            {"lives": False, "ended": {"status": 127, "why": "no such file"}},
            NodeState.FAILED,
            "its launcher cannot be run: no such file",
        ),
        ({"lives": False}, NodeState.FAILED, "its process is gone, and nobody knows how it ended"),
        ({"lives": False, "same_boot": False}, NodeState.FAILED, "its host was started anew"),
    ],
)
def test_states(told: dict[str, object], state: NodeState, reason: str) -> None:
    assert state_of(record("worker-0", **told)) == (state, reason)


def node(view: RayView, *, is_drained: bool = False, **told: object) -> Node:
    return to_node("h2", record("worker-0", **told), view, SPEC, "10.0.0.1:8100", is_drained=is_drained)


def test_a_node_is_what_its_host_and_ray_say() -> None:
    view = RayView({"worker-0": RayNode(ALIVE, "10.0.0.2", idle=True, epoch=7)}, agent=True)
    there = node(view)
    assert there.ready
    assert (there.native_id, there.idle, there.facts) == ("42@h2", True, {"host": "h2", "address": "10.0.0.2"})
    assert there.drain is not None
    assert there.drain["address"] == "10.0.0.1:8100"


def test_what_ray_says_of_another_process_of_that_name_does_not_count() -> None:
    before = RayView({"worker-0": RayNode(ALIVE, "10.0.0.2", epoch=6)}, agent=True)
    assert node(before).ray_state == ""
    drained = RayView({"worker-0": RayNode(DRAINED, "10.0.0.2", epoch=7)}, agent=True)
    assert node(drained).ray_state == ""
    assert node(drained, is_drained=True).ray_state == DRAINED


def test_what_does_not_run_is_not_in_ray() -> None:
    view = RayView({"worker-0": RayNode(ALIVE, "10.0.0.2", epoch=7)}, agent=True)
    assert node(view, lives=False).ray_state == ""
    assert node(view, lives=False).drain is None


def test_marks_decide_whose_a_node_is() -> None:
    hosts = {"h1": host(1, record("head")), "h2": host(2, record("worker-0", owner="other"))}
    assert [(name, each.node) for name, each in ours(hosts, "ray", OWNER)] == [("h1", "head")]
    assert strangers(hosts, OWNER) == {"worker-0"}
    assert strangers({"h2": host(2, record("worker-0", owner="other", lives=False))}, OWNER) == frozenset()


def test_nodes_on_a_silent_host_are_unknown_and_never_gone() -> None:
    placed = {"head": "h1", "worker-0": "h2", "worker-1": "h3"}
    (left,) = unseen(
        placed, {"h2": "h2 does not answer: no route", "h3": "x"}, {"head", "worker-1"}, ["head", "worker"]
    )
    assert (left.name, left.group, left.state) == ("worker-0", "worker", NodeState.UNKNOWN)
    assert left.reason == "h2 does not answer: no route"


def test_a_placement_survives_being_written_and_what_is_none_is_empty() -> None:
    written = Placement({"head": "h1"}, (SshHost(address="h1", user="ray"),))
    assert placement.parse(written.to_json()) == written
    for text in (None, "", "{", "[]", '{"hosts": [{"address": ""}]}'):
        assert placement.parse(text) == Placement()
