"""What befell the nodes, read off the GCS's memory of them."""

from __future__ import annotations

from cai_deploy.node.gcs import RayNode
from cai_deploy.node.view.history import LONGEST, MOST, Event, history


def node(name: str, started: int, ended: int = 0, **rest: object) -> RayNode:
    state = "DEAD" if ended else "ALIVE"
    return RayNode(f"{name}{started}".encode(), name, state, started=started, ended=ended, **rest)  # type: ignore[arg-type]


def test_a_life_with_a_move() -> None:
    nodes = [
        node("head", 1, 50, is_head=True, address="10.0.0.1"),
        node("worker-0", 2, 30, address="10.0.0.2", why_ended="health check\n failed"),
        node("worker-1", 3, 40, address="10.0.0.3"),
        node("worker-2", 4, 45, address="10.0.0.4", wanted_end=True),
        node("worker-0", 31, address="10.0.0.5"),
        node("head", 60, 65, is_head=True, address="10.0.0.9"),
        node("head", 70, is_head=True, address="10.0.0.9"),
    ]
    assert history(nodes, {b"worker-13"}) == [
        Event(70, "head_started", "head", "the head started again at 10.0.0.9"),
        Event(60, "head_moved", "head", "the head moved from 10.0.0.1 to 10.0.0.9"),
        Event(45, "left", "worker-2", "worker-2 left"),
        Event(40, "left", "worker-1", "worker-1 left: it was asked to drain"),
        Event(31, "joined", "worker-0", "worker-0 joined at 10.0.0.5"),
        Event(30, "lost", "worker-0", "worker-0 was lost: health check failed"),
        Event(4, "joined", "worker-2", "worker-2 joined at 10.0.0.4"),
        Event(3, "joined", "worker-1", "worker-1 joined at 10.0.0.3"),
        Event(2, "joined", "worker-0", "worker-0 joined at 10.0.0.2"),
        Event(1, "head_started", "head", "the head started at 10.0.0.1"),
    ]


def test_it_is_bounded() -> None:
    events = history([node(f"worker-{number}", number + 1) for number in range(MOST * 2)], set())
    assert [len(events), events[0].at] == [MOST, MOST * 2]
    (lost, _) = history([node("worker-0", 1, 2, why_ended="x" * 10_000)], set())
    assert len(lost.text) < LONGEST + 40
