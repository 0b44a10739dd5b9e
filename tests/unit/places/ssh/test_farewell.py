"""Workers that joined by themselves: how they are seen, and that their head stays until they have heard."""

from __future__ import annotations

from typing import Any

import pytest

from cai_deploy.access import NoAnswer
from cai_deploy.errors import DeployError
from cai_deploy.places.ray_status import DRAIN_PATH, RayNode, RayView
from cai_deploy.places.ssh import farewell
from cai_deploy.places.ssh.farewell import Farewell
from cai_deploy.places.ssh.members import joined
from cai_deploy.state import Node, NodeState, Step
from tests.polling import eventually

DOOR = "10.0.0.1:8100"
VIEW = RayView(
    {
        "head": RayNode("ALIVE", "10.0.0.1", group="head"),
        "mine": RayNode("ALIVE", "10.0.0.9", group="joined"),
        "worker-0": RayNode("ALIVE", "10.0.0.2", group="worker"),
        "joined-0": RayNode("ALIVE", "10.0.0.3", group="joined", process="4711.box.example.com"),
        "gone": RayNode("DRAINED", "10.0.0.4", group="joined"),
    }
)


class Door:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answers = True

    def post_json(self, name: str, path: str, body: Any) -> dict[str, Any]:
        if not self.answers:
            raise NoAnswer("no answer")
        self.asked.append((name, path, body["node"]))
        return {"accepted": True}


def guest() -> Node:
    (found,) = joined(VIEW, {"head", "worker-0", "joined-0"}, DOOR)
    return found


def test_those_are_seen_who_are_nobody_elses_and_live() -> None:
    assert (guest().name, guest().ready, guest().address, guest().group) == ("mine", True, "10.0.0.9", "joined")
    assert guest().native_id == "?@10.0.0.9", "a program before ours did not say"
    other = next(joined(VIEW, {"head", "worker-0", "mine"}, DOOR))
    assert other.native_id == "4711@box.example.com"


def test_who_is_sent_home_is_awaited_until_it_has_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "HEARD_WITHIN", 0.2)
    door = Door()
    parting = Farewell(door)  # type: ignore[arg-type]
    node = guest()
    assert parting.shown([node]) == (node,)
    step = Step("stop", "node", "mine", "is no longer wanted", 0, node.native_id)
    assert parting.is_for(step, [node]) == node
    assert parting.is_for(Step("stop", "node", "mine", "", 0, "42@h2"), [node]) is None
    parting.send_home(node)
    assert door.asked == [(DOOR, DRAIN_PATH, "mine")]
    assert [each.state for each in parting.shown([node])] == [NodeState.STOPPING]
    assert eventually(lambda: parting.shown([]) == ())


def test_a_head_that_cannot_be_asked() -> None:
    door = Door()
    door.answers = False
    with pytest.raises(DeployError, match="joined by itself, and cannot be told to leave"):
        Farewell(door).send_home(guest())  # type: ignore[arg-type]
