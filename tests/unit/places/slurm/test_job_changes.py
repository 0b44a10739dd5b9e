"""Submitting, replacing and ending jobs: never two of one node, and none struck down that can end by itself."""

from __future__ import annotations

import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.places.ray_status import RayView
from cai_deploy.places.slurm.errors import SlurmRefused
from cai_deploy.places.slurm.job_changes import JobChanges
from cai_deploy.places.slurm.marks import Mark, owner_of
from cai_deploy.places.slurm.members import Members, sort_out, to_node
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Action, Node, NodeState, Request, Step
from tests.unit.places.slurm.fake_slurm import FakeQueue


class Clock:
    """Stands still unless it is set."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Bench:
    """A cluster's jobs, and the changes to them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        self.queue = FakeQueue()
        self.changes = JobChanges(self.queue, root, self.clock)

    def mark(self, node: str = "worker-0") -> Mark:
        return Mark("ray", owner_of(str(self.root)), node, node.partition("-")[0], "f" * 16, 7)

    def members(self) -> Members:
        return sort_out(self.queue.of("ray", owner_of(str(self.root))))

    def request(self, node: str = "worker-0", text: str = "#!/bin/bash\n") -> Request:
        script = layout.job_script_file("ray", node)
        return {"script": script, "text": text, "mark": asdict(self.mark(node)), "partition": "", "account": ""}

    def do(self, action: Action, job_id: int | str = "", request: Request | None = None) -> None:
        step = Step(action, "node", "worker-0", "", 0, str(job_id), request)
        self.changes.apply(step, self.members())

    def shown(self, patience: float = 60) -> list[Node]:
        nodes = [to_node(member, RayView(), ClusterSpec(), "", self.clock.now()) for member in self.members().living]
        return list(self.changes.shown(nodes, patience))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_job_is_submitted_with_the_script_that_was_shown(bench: Bench) -> None:
    bench.do("create", request=bench.request(text="#!/bin/bash\nexec true\n"))
    assert bench.queue.said == [("submit", 1)]
    assert bench.queue.texts[1] == "#!/bin/bash\nexec true\n"


def test_a_job_that_runs_is_told_and_shown_as_ending(bench: Bench) -> None:
    job = bench.queue.add(bench.mark())
    bench.do("stop", job)
    assert bench.queue.said == [("TERM", job)]
    (node,) = bench.shown()
    assert (node.state, node.reason) == (NodeState.STOPPING, "it was told to end, and is ending")


def test_who_did_not_hear_it_is_shown_as_it_is_and_then_ended(bench: Bench) -> None:
    job = bench.queue.add(bench.mark())
    bench.do("stop", job)
    bench.clock.time += 61
    assert [node.state for node in bench.shown()] == [NodeState.RUNNING]
    bench.do("stop", job)
    assert bench.queue.said == [("TERM", job), ("cancel", job)]


@pytest.mark.parametrize("state", ["PENDING", "CONFIGURING", "COMPLETING"])
def test_a_job_that_does_not_run_is_cancelled(bench: Bench, state: str) -> None:
    job = bench.queue.add(bench.mark(), state)
    bench.do("stop", job)
    assert bench.queue.said == [("cancel", job)]


def test_a_job_is_replaced_by_an_heir(bench: Bench) -> None:
    old = bench.queue.add(bench.mark())
    bench.do("restart", old, bench.request())
    assert bench.queue.said == [("submit", old + 1), ("TERM", old)]
    assert [node.native_id for node in bench.shown()] == [str(old)], "there are two"
    bench.queue.ends(old)
    assert [(node.native_id, node.state) for node in bench.shown()] == [(str(old + 1), NodeState.PENDING)]


def test_a_restart_without_a_change_submits_the_same_again(bench: Bench) -> None:
    bench.do("create", request=bench.request(text="as before"))
    bench.queue.becomes(1, "RUNNING")
    bench.do("restart", 1)
    assert bench.queue.texts[2] == "as before"
    assert bench.members().heirs_of(1) == [2]


def test_an_heir_that_is_there_already_gives_way_to_the_next(bench: Bench) -> None:
    old = bench.queue.add(bench.mark())
    bench.do("restart", old, bench.request())
    bench.clock.time += 61
    bench.do("restart", old, bench.request())
    assert bench.queue.said[2:] == [("cancel", old + 1), ("submit", old + 2), ("cancel", old)]
    assert [member.job.job_id for member in bench.members().living] == [old + 2]


def test_who_goes_takes_its_heirs_along(bench: Bench) -> None:
    old = bench.queue.add(bench.mark())
    heir = bench.queue.add(bench.mark(), "PENDING", dependency=f"afterany:{old}(unfulfilled)")
    bench.do("stop", old)
    assert bench.queue.said == [("cancel", heir), ("TERM", old)]


def test_a_refusal_leaves_the_old_job_as_it_is(bench: Bench) -> None:
    old = bench.queue.add(bench.mark())
    bench.queue.refuses = SlurmRefused("no", "for a reason")
    with pytest.raises(SlurmRefused):
        bench.do("restart", old, bench.request())
    assert bench.queue.said == []


def test_the_head_stands_in_line_before_its_workers(bench: Bench) -> None:
    steps = [
        Step("create", "node", node, "", 0, request=bench.request(node)) for node in ("worker-0", "worker-1", "head")
    ]
    with bench.changes.head_first(steps):
        threads = [threading.Thread(target=bench.changes.apply, args=(step, bench.members())) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert bench.queue.jobs()[0].name == "ray-head"


def test_workers_do_not_wait_for_a_head_that_is_there(bench: Bench) -> None:
    step = Step("create", "node", "worker-0", "", 0, request=bench.request())
    with bench.changes.head_first([step]):
        bench.changes.apply(step, bench.members())
    assert bench.queue.said == [("submit", 1)]


def test_workers_do_not_wait_for_ever_for_a_head_that_is_refused(bench: Bench) -> None:
    head, worker = (Step("create", "node", node, "", 0, request=bench.request(node)) for node in ("head", "worker-0"))
    bench.queue.refuses = SlurmRefused("no", "for a reason")
    with bench.changes.head_first([head, worker]):
        with pytest.raises(SlurmRefused):
            bench.changes.apply(head, bench.members())
        with pytest.raises(SlurmRefused):
            bench.changes.apply(worker, bench.members())
