"""When nodes that are jobs go by themselves: a head at the end of its time or at night, a worker after its head."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from cai_deploy.connection import ConnectionInfo
from cai_deploy.node.batch import head_term, worker_term
from cai_deploy.node.batch.batch_job import BatchJob
from cai_deploy.node.batch.head_job import HeadJob
from cai_deploy.node.batch.head_term import HeadTerm
from cai_deploy.node.batch.slurm_commands import NoSuccessor
from cai_deploy.node.batch.worker_term import WorkerTerm, time_to_drain
from cai_deploy.node.gcs import RayNode
from tests.polling import eventually
from tests.unit.node.batch.job_nodes import JOB, WORKER, FakeWorker, Setting
from tests.unit.node.fake_gcs import FakeGcs

CLIENT = RayNode(b"7", "client-7", "ALIVE", labels={"cai-deploy/group": "client"})
NIGHT = datetime(2026, 11, 21, 3, 0)
NOON = datetime(2026, 11, 21, 12, 0)
IDLE = json.dumps({"after": 1, "window": "02:30-09:00"})
FOR_LONG = {"busy": [], "idle_since": "2026-11-21T01:00:00+00:00", "now": "2026-11-21T03:00:00+00:00"}

Start = Callable[..., HeadTerm]


class FakeHead:
    """A head that is up."""

    is_up = True

    def __init__(self, setting: Setting, gcs: FakeGcs, activity: dict[str, Any]) -> None:
        self._setting = setting
        self._account = activity
        self.gcs = gcs
        self.activity = self

    def describe(self) -> dict[str, Any]:
        return self._account

    def say(self, **words: Any) -> ConnectionInfo:
        self._setting.says(**words)
        return self._setting.info


ENDS = datetime(2026, 11, 21, 20, tzinfo=timezone.utc)


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    setting = Setting(tmp_path)
    for module in (head_term, worker_term):
        monkeypatch.setattr(module, "POLL", 0.01)
    monkeypatch.setattr(head_term, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(head_term, "time_to_drain", lambda *_: 30.0)
    monkeypatch.setattr(head_term, "submit_successor", lambda *_: "18")
    monkeypatch.setattr(BatchJob, "ends_at", lambda job: ENDS)
    monkeypatch.setattr(worker_term, "leave", setting.leave)
    return setting


@pytest.fixture
def start(setting: Setting) -> Iterator[Start]:
    begun: list[HeadTerm] = []

    def start(
        *, gcs: FakeGcs | None = None, activity: dict[str, Any] | None = None, now: datetime = NIGHT, **job: Any
    ) -> HeadTerm:
        ours = replace(JOB, **job)
        file = HeadJob(setting.pod.head_job_file("ray", 17), ours, 12_000, setting.told.append)
        head = FakeHead(setting, gcs or FakeGcs(), FOR_LONG if activity is None else activity)
        term = HeadTerm(
            WORKER,
            setting.pod,
            ours,
            head,  # type: ignore[arg-type]
            setting.orders,
            setting.told.append,
            file=file,
            clock=lambda: now,
        )
        term.begin()
        begun.append(term)
        return term

    yield start
    setting.orders.stop.set()
    for term in begun:
        term.over.wait(20)


def test_a_head_that_is_up_says_so_under_its_jobs_number(setting: Setting, start: Start) -> None:
    term = start()
    file = setting.pod.head_job_file("ray", 17)
    eventually(file.exists)
    told = eventually(lambda: (said := json.loads(file.read_text()))["expires_at"] and said)
    ours = {"job_id": 17, "head_node": "n1", "port_offset": 12_000, "started": setting.info.started_at}
    assert {**vars(setting.info), **ours} == told
    assert told["expires_at"] == "2026-11-21T20:00:00+00:00"
    assert term.end() is None
    assert not file.exists()


def test_slurm_is_asked_again_when_a_job_ends(setting: Setting, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([None, None, ENDS])
    monkeypatch.setattr(BatchJob, "ends_at", lambda job: next(answers))
    monkeypatch.setattr(head_term, "ASK_AFTER", (0.0, 0.1, 0.2, 0.3))
    start()
    file = setting.pod.head_job_file("ray", 17)
    eventually(file.exists)
    assert json.loads(file.read_text())["expires_at"] == ""
    eventually(lambda: json.loads(file.read_text())["expires_at"] == "2026-11-21T20:00:00+00:00")


def test_without_a_successor_the_end_of_its_time_ends_the_cluster(setting: Setting, start: Start) -> None:
    gcs = FakeGcs(CLIENT)
    term = start(gcs=gcs)
    setting.orders.warned.set()
    eventually(lambda: setting.info.warned_at)
    assert not setting.info.ended_at, "its clients have time first"
    assert not term.over.is_set()
    gcs.end(CLIENT.id)
    assert term.over.wait(20)
    assert setting.info.ended_why == "its head's time limit was near"
    assert not setting.info.successor


def test_with_one_the_cluster_goes_on(setting: Setting, start: Start) -> None:
    term = start(hands_over=True)
    setting.orders.warned.set()
    assert term.over.wait(20)
    assert (setting.info.successor, setting.info.ended_at) == ("18", "")
    assert setting.info.warned_at


def test_one_that_cannot_be_queued(setting: Setting, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> str:
        raise NoSuccessor("no successor is queued", why="invalid account")

    monkeypatch.setattr(head_term, "submit_successor", refused)
    term = start(hands_over=True)
    setting.orders.warned.set()
    assert term.over.wait(20)
    assert setting.info.ended_at
    assert "invalid account" in setting.story


def test_clients_that_stay_are_not_waited_for_for_ever(setting: Setting, start: Start) -> None:
    gcs = FakeGcs(CLIENT)
    gcs.away = True
    term = start(gcs=gcs, checkpoint=-2.9)
    setting.orders.warned.set()
    assert term.over.wait(20), "nor are those that cannot be seen"


def test_an_idle_cluster_ends_at_night(setting: Setting, start: Start) -> None:
    term = start(idle=IDLE)
    assert term.over.wait(20)
    assert setting.info.ended_why == "nobody has used it for 120 minutes, and it is within 02:30-09:00"
    assert not setting.info.warned_at


@pytest.mark.parametrize(
    ("gcs", "activity", "now", "idle"),
    [
        (FakeGcs(), FOR_LONG, NOON, IDLE),
        (FakeGcs(CLIENT), FOR_LONG, NIGHT, IDLE),
        (FakeGcs(), {**FOR_LONG, "busy": ["job 1 is running"], "idle_since": None}, NIGHT, IDLE),
        (FakeGcs(), FOR_LONG, NIGHT, ""),
    ],
    ids=["by day", "with a client", "busy", "not asked for"],
)
def test_and_otherwise_does_not(start: Start, gcs: FakeGcs, activity: dict[str, Any], now: datetime, idle: str) -> None:
    assert not start(gcs=gcs, activity=activity, now=now, idle=idle).over.wait(0.3)


def test_a_check_that_fails_is_no_end(start: Start) -> None:
    gcs = FakeGcs()
    gcs.away = True
    assert not start(gcs=gcs, idle=IDLE).over.wait(0.3)


def worker_of(setting: Setting, door: str = "127.0.0.1:10") -> WorkerTerm:
    worker: Any = FakeWorker(door)
    term = WorkerTerm(WORKER, setting.pod, JOB, worker, setting.orders, setting.told.append)
    term.begin()
    return term


def test_a_worker_goes_with_its_cluster(setting: Setting) -> None:
    term = worker_of(setting)
    assert not term.over.wait(0.1)
    setting.says(ended_at="2026-11-21T01:00:00+00:00", ended_why="nobody has used it")
    assert term.over.wait(20)
    assert not setting.left, "there is nobody to drain it"


def test_what_a_head_before_this_one_said_does_not_count(setting: Setting) -> None:
    setting.says(ended_at="2026-11-21T01:00:00+00:00")
    term = worker_of(setting, door="")
    assert not term.over.wait(0.2)
    setting.orders.stop.set()
    assert term.over.wait(20)


def test_a_worker_whose_time_ends_drains(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_term, "time_to_drain", lambda *_: 42.0)
    term = worker_of(setting)
    setting.orders.warned.set()
    assert term.over.wait(20)
    assert setting.left == [42.0]


@pytest.mark.parametrize(("left", "seconds"), [(None, 60), (365 * 24 * 3600, 60), (108, 100), (5, 0)])
def test_so_that_it_ends_before_its_limit(left: float | None, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = None if left is None else datetime.now(timezone.utc) + timedelta(seconds=left)
    monkeypatch.setattr(BatchJob, "ends_at", lambda job: ends)
    assert time_to_drain(JOB, stop_timeout=3) == pytest.approx(seconds, abs=5)
