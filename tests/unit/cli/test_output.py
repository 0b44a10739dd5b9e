"""What commands show of a cluster's nodes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cai_deploy.cli.output import envelope, show_nodes
from cai_deploy.state import Node, NodeState, Observation

HEAD = Node("head", "head", "head", NodeState.RUNNING, "17", "f", "10.0.0.1", "ALIVE")
WORKER = Node("worker-0", "worker", "worker", NodeState.PENDING, "18", "f")
WAITING = replace(WORKER, reason="what it asks for is in use")


def test_nodes_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    show_nodes(Observation(nodes=(WORKER, HEAD)), "application")
    assert capsys.readouterr().out.splitlines() == [
        "NODE      GROUP   STATE    RAY    ADDRESS   APPLICATION",
        "head      head    running  ALIVE  10.0.0.1  17",
        "worker-0  worker  pending  -      -         18",
    ]


def test_reasons_are_shown_where_there_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    show_nodes(Observation(nodes=(WAITING, HEAD)), "job")
    assert capsys.readouterr().out.splitlines() == [
        "NODE      GROUP   STATE    RAY    ADDRESS   JOB  REASON",
        "head      head    running  ALIVE  10.0.0.1  17",
        "worker-0  worker  pending  -      -         18   what it asks for is in use",
    ]


def test_a_node_as_data_has_a_reason_where_there_is_one() -> None:
    told = envelope("ray", "slurm", Observation(nodes=(WAITING, HEAD)), converged=False)["nodes"]
    assert [node.get("reason") for node in told] == [None, "what it asks for is in use"]
