"""What is asked of the GCS when a node is to drain, and what a worker's agent reads from it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cai_deploy.node.draining import Drains, was_drained
from cai_deploy.node.gcs import Gcs, GcsAway, RayNode
from cai_deploy.node.web.body import Refused
from tests.unit.node.fake_gcs import FakeGcs

HEAD = RayNode(b"h", "head", "ALIVE", is_head=True)
OLD = RayNode(b"0", "worker-0", "DEAD", started=1)
WORKER = RayNode(b"1", "worker-0", "ALIVE", "ACTIVE", started=2)


def ask(gcs: FakeGcs, **body: Any) -> dict[str, Any]:
    return Drains(gcs, lambda line: None).ask({"node": "worker-0", **body})


def until_ended(gcs: FakeGcs, node: bytes) -> None:
    end = time.monotonic() + 5
    while gcs.state(node) != "DEAD":
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_last_start_of_a_node_is_drained() -> None:
    gcs = FakeGcs(HEAD, OLD, WORKER)
    before = time.time()
    assert ask(gcs, deadline_seconds=50, reason="scaled down") == {"accepted": True}
    [(node, reason, deadline)] = gcs.asked
    assert (node, reason) == (WORKER.id, "scaled down")
    assert before + 50 <= deadline <= time.time() + 50
    assert gcs.state(WORKER.id) == "ALIVE", "it has its time"


def test_a_node_whose_clock_was_ahead_is_drained_in_its_last_start_too() -> None:
    ahead = RayNode(b"2", "worker-0", "DEAD", started=3600)
    gcs = FakeGcs(HEAD, WORKER, ahead)
    gcs.note_drain(ahead.id, 1.0)
    assert ask(gcs) == {"accepted": True}
    assert [node for node, _, _ in gcs.asked] == [WORKER.id]


def test_one_that_still_has_work_at_the_deadline_is_ended() -> None:
    told: list[str] = []
    gcs = FakeGcs(HEAD, OLD, WORKER)
    Drains(gcs, told.append).ask({"node": "worker-0", "deadline_seconds": 0.05})
    until_ended(gcs, WORKER.id)
    assert "still had work" in told[-1]


def test_asked_again_the_deadline_only_comes_sooner() -> None:
    gcs = FakeGcs(HEAD, WORKER)
    drains = Drains(gcs, lambda line: None)
    for seconds in (100, 1000):
        assert drains.ask({"node": "worker-0", "deadline_seconds": seconds}) == {"accepted": True}
        assert gcs.noted[WORKER.id] < time.time() + 101
    drains.ask({"node": "worker-0", "deadline_seconds": 0})
    until_ended(gcs, WORKER.id)
    assert drains.ask({"node": "worker-0"}) == {"accepted": True}, "what has been drained is"


def test_another_head_knows_what_this_one_was_asked_for() -> None:
    gcs = FakeGcs(HEAD, OLD, WORKER)
    gcs.note_drain(WORKER.id, time.time() - 1)
    Drains(gcs, lambda line: None).resume()
    until_ended(gcs, WORKER.id)
    assert gcs.state(HEAD.id) == "ALIVE"


def test_the_head_and_what_died_by_itself_are_not_drained() -> None:
    gcs = FakeGcs(HEAD, OLD)
    answer = Drains(gcs, lambda line: None).ask({"node": "head"})
    assert answer == {"accepted": False, "why": "the head is not drained: the cluster ends with it"}
    assert ask(gcs) == {"accepted": False, "why": "worker-0 is dead already"}
    assert not gcs.asked
    assert not gcs.noted


def test_a_refusal_of_rays_own_is_handed_on_and_leaves_no_note() -> None:
    gcs = FakeGcs(WORKER)
    gcs.refusal = "no longer idle"
    assert ask(gcs) == {"accepted": False, "why": "no longer idle"}
    assert not gcs.noted


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"node": "worker-9"}, 404),
        ({"node": 1}, 400),
        ({"node": ""}, 400),
        ({}, 400),
        ([], 400),
        (None, 400),
        ({"node": "worker-0", "deadline_seconds": -1}, 400),
        ({"node": "worker-0", "deadline_seconds": True}, 400),
        ({"node": "worker-0", "deadline_seconds": "60"}, 400),
        ({"node": "worker-0", "deadline_seconds": float("nan")}, 400),
        ({"node": "worker-0", "deadline_seconds": 1e9}, 400),
        ({"node": "worker-0", "reason": ["x"]}, 400),
    ],
)
def test_what_is_no_request(body: Any, status: int) -> None:
    gcs = FakeGcs(HEAD, WORKER)
    with pytest.raises(Refused) as refused:
        Drains(gcs, lambda line: None).ask(body)
    assert refused.value.status == status
    assert not gcs.asked


def test_a_worker_knows_of_its_own_drain_alone() -> None:
    gcs = FakeGcs(HEAD, OLD, WORKER)
    gcs.noted[OLD.id] = 1.0
    assert not was_drained(gcs, "worker-0"), "the start before was drained, this one was not"
    gcs.noted[WORKER.id] = 1.0
    assert was_drained(gcs, "worker-0")
    assert not was_drained(gcs, "worker-9")
    assert was_drained(gcs, "worker-0", since=WORKER.started / 1000)
    assert not was_drained(gcs, "worker-0", since=WORKER.started / 1000 + 0.1), "what came after it never joined"


def test_nobody_to_ask_is_said() -> None:
    with pytest.raises(GcsAway, match=r"no GCS listens at 127\.0\.0\.1:1"):
        was_drained(Gcs("127.0.0.1:1"), "worker-0")
