"""What was agreed on is remembered, whatever Ray shows."""

from __future__ import annotations

from typing import Any, cast

from cai_deploy.access import NoAnswer
from cai_deploy.places.draining import Drains
from cai_deploy.places.ray_status import drain_request
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.state import Node, NodeState, Step

REQUEST = drain_request({"subdomain": "ray-head-abc"}, "worker-0", 60)
STEP = Step("drain", "node", "worker-0", "before its restart", 0, "id", REQUEST)


class Door:
    def __init__(self, answer: dict[str, Any] | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, Any]] = []

    def post_json(self, subdomain: str, path: str, body: Any) -> dict[str, Any]:
        self.asked.append((subdomain, path, body))
        if self.answer is None:
            raise NoAnswer("the head does not answer", why="status 502")
        return self.answer


def node(ray_state: str = "ALIVE") -> Node:
    return Node("worker-0", "worker", "worker", NodeState.RUNNING, "id", "f", "", ray_state, drain=REQUEST)


def drains(door: Door) -> tuple[Drains, list[str]]:
    said: list[str] = []
    return Drains(cast(TokenDoor, door), said.append, named_by="subdomain"), said


def test_what_was_agreed_is_shown_before_ray_shows_it() -> None:
    door = Door({"accepted": True})
    asked, said = drains(door)
    assert asked.shown([node()]) == (node(),)
    asked.ask(STEP)
    body = {"node": "worker-0", "deadline_seconds": 60, "reason": "cai_deploy changes or removes this node"}
    assert door.asked == [("ray-head-abc", "/cai-deploy/drain", body)]
    assert [each.ray_state for each in asked.shown([node()])] == ["DRAINING"]
    assert [each.ray_state for each in asked.shown([node("DRAINED")])] == ["DRAINED"]
    assert said == []


def test_a_node_that_came_back_drains_no_more() -> None:
    asked, _ = drains(Door({"accepted": True}))
    asked.ask(STEP)
    asked.over("worker-0")
    assert asked.shown([node()]) == (node(),)


def test_who_cannot_be_drained_is_not_asked_again() -> None:
    for door in (Door({"accepted": False, "why": "it is the head"}), Door(None)):
        asked, said = drains(door)
        asked.ask(STEP)
        assert [each.drain for each in asked.shown([node()])] == [None]
        assert len(said) == 1
        assert "worker-0 cannot be drained" in said[0]
