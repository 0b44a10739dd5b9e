"""A node that goes of its own accord, with a head's real port that drains it, or does not."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import connection
from cai_deploy.node.batch import departure
from cai_deploy.node.batch.departure import PATH, leave
from cai_deploy.node.draining import Drains
from cai_deploy.node.gcs import RayNode
from cai_deploy.node.head_search import LastWord
from cai_deploy.node.pod import Pod
from cai_deploy.node.web.gateway import Gateway, OwnAnswers
from cai_deploy.node.web.guard import Guard
from cai_deploy.node.web.ways import Ways
from tests.unit.node.batch.job_nodes import INFO
from tests.unit.node.fake_gcs import FakeGcs
from tests.unit.node.network import refusing_port

WORKER = RayNode(b"1", "worker-0", "ALIVE")
TOKEN = "t0ken"


class Node:
    def __init__(self, project: Path, gcs: FakeGcs, **changes: Any) -> None:
        self.pod = Pod("worker-0", project, "127.0.0.1", 8100, "", "")
        self.gcs = gcs
        self.told: list[str] = []
        port = refusing_port()
        guard = Guard(TOKEN)
        nowhere = "http://127.0.0.1:1"
        own = OwnAnswers(done={PATH: Drains(gcs, lambda line: None).ask})
        Gateway("ray", Ways(nowhere, nowhere, guard), own, guard).serve(port)
        (project / "token").write_text(TOKEN)
        info = replace(INFO, dashboard_address=f"127.0.0.1:{port}", token_path="token", **changes)
        connection.write(self.pod.connection_file("ray"), info)

    def leaves(self, seconds: float) -> None:
        word = LastWord(self.pod.connection_file("ray"))
        leave(self.pod, word, seconds, "it is late", self.told.append, threading.Event())


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> FakeGcs:
    gcs = FakeGcs(WORKER)
    monkeypatch.setattr(departure, "Gcs", lambda address: gcs)
    monkeypatch.setattr(departure, "POLL", 0.01)
    return gcs


def test_it_is_drained_and_waits_until_it_is_gone(tmp_path: Path, gcs: FakeGcs) -> None:
    node = Node(tmp_path, gcs)
    node.leaves(0.3)
    [(_, reason, _)] = gcs.asked
    assert reason == "it is late"
    assert gcs.state(WORKER.id) == "DEAD", "the head has ended it at the deadline"


def test_a_head_that_refuses_is_told_of(tmp_path: Path, gcs: FakeGcs) -> None:
    gcs.refusal = "no longer idle"
    node = Node(tmp_path, gcs)
    node.leaves(60)
    assert node.told == ["leaving without a drain, as the head refuses it: no longer idle"]


def test_a_head_that_is_away_keeps_nobody(tmp_path: Path, gcs: FakeGcs) -> None:
    node = Node(tmp_path, gcs)
    info = replace(INFO, dashboard_address=f"127.0.0.1:{refusing_port()}")
    connection.write(node.pod.connection_file("ray"), info)
    node.leaves(60)
    assert "leaving without the head, which cannot be asked: ConnectionRefusedError" in node.told[0]


def test_of_a_cluster_that_has_ended_nothing_is_asked(tmp_path: Path, gcs: FakeGcs) -> None:
    node = Node(tmp_path, gcs, ended_at="2026-11-21T01:00:00+00:00")
    node.leaves(60)
    assert not gcs.asked
    assert not node.told
