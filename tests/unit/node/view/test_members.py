"""How the GCS's words become the head's answer."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from cai_deploy.connection import ConnectionInfo
from cai_deploy.node.gcs import Gcs, RayNode
from cai_deploy.node.view.members import MemberList, idle, state_of
from tests.unit.node.fake_gcs import FakeGcs

INFO = ConnectionInfo("ray", 3, "10.0.0.1", "127.0.0.1:1", "", "", "", "2.60.0", "3.11.7", "")


@pytest.mark.parametrize(
    ("state", "activity", "asked", "word", "is_idle"),
    [
        ("ALIVE", "IDLE", False, "ALIVE", True),
        ("ALIVE", "ACTIVE", False, "ALIVE", False),
        ("ALIVE", "", False, "ALIVE", None),
        ("ALIVE", "DRAINING", True, "DRAINING", False),
        ("ALIVE", "DRAINING", False, "DRAINING", False),
        ("ALIVE", "ACTIVE", True, "DRAINING", False),
        ("DEAD", "IDLE", True, "DRAINED", None),
        ("DEAD", "ACTIVE", False, "DEAD", None),
        ("", "", False, "UNKNOWN", None),
    ],
)
def test_states(state: str, activity: str, asked: bool, word: str, is_idle: bool | None) -> None:
    node = RayNode(b"1", "worker-0", state, activity)
    assert state_of(node, {b"1"} if asked else {b"2"}) == word
    assert idle(node) is is_idle


def test_the_whole_answer() -> None:
    node = RayNode(b"1", "worker-0", "ALIVE", "IDLE", "10.0.0.2", labels={"a": "b"}, resources={"CPU": 1.0})
    assert MemberList(FakeGcs(node), INFO).describe() == {
        "epoch": 3,
        "connection": asdict(INFO),
        "nodes": [
            {
                "name": "worker-0",
                "address": "10.0.0.2",
                "state": "ALIVE",
                "idle": True,
                "is_head": False,
                "labels": {"a": "b"},
                "resources": {"CPU": 1.0},
            }
        ],
    }


def test_without_a_gcs_there_is_nothing_to_connect_to() -> None:
    assert MemberList(Gcs("127.0.0.1:1"), INFO).describe() == {"epoch": 3, "connection": None, "nodes": []}


def test_a_head_before_this_one_is_dead_whatever_the_store_says() -> None:
    before = RayNode(b"1", "head", "ALIVE", "IDLE", "10.0.0.7", is_head=True)
    now = RayNode(b"2", "head", "ALIVE", "IDLE", INFO.node_address, is_head=True)
    told = MemberList(FakeGcs(before, now), INFO).describe()["nodes"]
    assert [(node["address"], node["state"]) for node in told] == [("10.0.0.7", "DEAD"), (INFO.node_address, "ALIVE")]
