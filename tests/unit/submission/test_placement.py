"""A program runs beside the head as soon as some node there could hold it, and where what it prints is found."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cai_deploy.submission.jobs import Member
from cai_deploy.submission.placement import OFF_THE_HEAD, ON_THE_HEAD, choose, needed, on_the_head

HEAD = Member({"cai-deploy/group": "head"}, {"CPU": 64, "memory": 1e12}, "10.0.0.1")
WORKER = Member({"cai-deploy/group": "worker"}, {"CPU": 2, "memory": 1e9}, "10.0.0.2")
FOREIGN = Member({}, {"CPU": 64}, "10.0.0.9")


@pytest.mark.parametrize(
    ("members", "need", "expected"),
    [
        ([], {}, None),
        ([HEAD], {}, None),
        ([HEAD, FOREIGN], {}, None),
        ([HEAD, WORKER], {}, OFF_THE_HEAD),
        ([HEAD, WORKER], {"CPU": 2}, OFF_THE_HEAD),
        ([HEAD, WORKER], {"CPU": 3}, None),
        ([HEAD, WORKER], {"GPU": 1}, None),
        ([HEAD, WORKER], {"CPU": 1, "memory": 2e9}, None),
    ],
)
def test_a_program_runs_off_the_head_where_it_fits(
    members: list[Member], need: dict[str, float], expected: Mapping[str, str] | None
) -> None:
    spot = choose(members, need)
    assert spot.labels == expected
    assert bool(spot.note) == (expected is None)


def head(address: str, cpu: float = 2) -> Member:
    return Member({"cai-deploy/group": "head", "cai-deploy/node": "head"}, {"CPU": cpu}, address)


def worker(number: int, address: str, cpu: float = 2) -> Member:
    labels = {"cai-deploy/group": "worker", "cai-deploy/node": f"worker-{number}"}
    return Member(labels, {"CPU": cpu}, address)


@pytest.mark.parametrize(
    ("members", "need", "labels", "told"),
    [
        ([head("m1"), worker(0, "m1")], {}, None, "runs on the cluster's head"),
        ([head("m1"), worker(0, "m1")], {"CPU": 1}, ON_THE_HEAD, "runs on the cluster's head"),
        ([head("m1", cpu=0), worker(0, "m1")], {"CPU": 1}, OFF_THE_HEAD, "may not find"),
        ([head("m1"), worker(0, "m1"), worker(1, "m2")], {}, {"cai-deploy/node": "in(worker-1)"}, ""),
        (
            [head("m1"), worker(2, "m3"), worker(0, "m1"), worker(1, "m2")],
            {"CPU": 2},
            {"cai-deploy/node": "in(worker-1,worker-2)"},
            "",
        ),
        ([head("m1"), worker(0, "m2"), worker(1, "m2")], {}, None, "runs on the cluster's head"),
        ([head("m1"), worker(0, "m1", cpu=8), worker(1, "m2")], {"CPU": 4}, OFF_THE_HEAD, "may not find"),
        ([head("127.0.0.1"), worker(0, "127.0.0.2")], {}, None, "runs on the cluster's head"),
        ([head(""), worker(0, "")], {}, OFF_THE_HEAD, ""),
    ],
)
def test_where_nodes_share_a_machine(
    members: list[Member], need: dict[str, float], labels: Mapping[str, str] | None, told: str
) -> None:
    spot = choose(members, need)
    assert spot.labels == labels
    assert told in spot.note
    assert bool(told) == bool(spot.note)


def test_on_the_head_because_somebody_says_so() -> None:
    assert on_the_head({}).labels is None
    assert on_the_head({"CPU": 1}).labels == ON_THE_HEAD


def test_what_is_not_asked_for_is_not_needed() -> None:
    assert needed(1, 0, 0, {"x": 2.0}) == {"CPU": 1, "x": 2.0}
