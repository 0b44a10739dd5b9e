"""A client's script: run once its node is there, warned, ended, and what its job returns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.node.batch import client, worker_term
from cai_deploy.node.batch.client import NO_HEAD, NOT_RUNNABLE, Client, Errand
from tests.polling import eventually
from tests.unit.node.batch.job_nodes import JOB, WORKER, FakeWorker, Setting
from tests.unit.node.batch.test_script import DEAF, HEEDS

TELLS = """
import json, os, pathlib
names = ("RAY_ADDRESS", "RAY_RUNTIME_ENV_HOOK", "CAI_DEPLOY_RAYLET")
pathlib.Path("told").write_text(json.dumps([os.environ[name] for name in names]))
raise SystemExit(5)
"""

Start = Callable[..., Client]


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    setting = Setting(tmp_path)
    monkeypatch.setattr(client, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(client, "POLL", 0.02)
    monkeypatch.setattr(client, "leave", setting.leave)
    monkeypatch.setattr(client, "Gcs", lambda address: setting.gcs)
    monkeypatch.setattr(client, "time_to_drain", lambda *_: 2.0)
    monkeypatch.setattr(worker_term, "POLL", 0.02)
    return setting


@pytest.fixture
def start(setting: Setting) -> Iterator[Start]:
    begun: list[Client] = []

    def start(script: str, *, worker: FakeWorker | None = None, checkpoint: float = 60.0, wait: bool = False) -> Client:
        errand = Errand((sys.executable, "-c", script), setting.pod.project)
        job = replace(JOB, checkpoint=checkpoint)
        made = Client(
            WORKER,
            setting.pod,
            job,
            worker or FakeWorker(),  # type: ignore[arg-type]
            setting.orders,
            setting.told.append,
            errand,
        )
        made.begin()
        begun.append(made)
        if wait:
            eventually((setting.pod.project / "ready").exists)
        return made

    yield start
    setting.orders.stop.set()
    for each in begun:
        each.end()


def test_the_script_finds_the_cluster_and_its_status_is_the_jobs(setting: Setting, start: Start) -> None:
    running = start(TELLS)
    assert running.over.wait(20)
    assert running.end() == 5
    told = (setting.pod.project / "told").read_text()
    assert told == '["127.0.0.1:10", "cai_deploy.node.batch.own_raylet.attach", "31"]'
    assert setting.left == [3.0], "it leaves the cluster in good order"


def test_it_waits_until_the_node_is_there(setting: Setting, start: Start) -> None:
    worker = FakeWorker("")
    setting.gcs.away = True
    running = start(TELLS, worker=worker)
    assert not running.over.wait(0.2)
    worker.door = "127.0.0.1:10"
    assert not running.over.wait(0.2)
    assert not worker.carries, "while there is no script, Ray may be started again"
    setting.gcs.away = False
    assert running.over.wait(20)
    assert worker.carries
    assert running.end() == 5


def test_a_start_of_the_node_before_this_one_does_not_count(setting: Setting, start: Start) -> None:
    setting.gcs.listed = [replace(setting.gcs.listed[0], started=1)]
    running = start(TELLS)
    assert not running.over.wait(0.3)
    setting.orders.stop.set()
    assert running.over.wait(20)
    assert running.end() is None


def test_a_cluster_that_ends_before_the_node_has_joined(setting: Setting, start: Start) -> None:
    setting.gcs.away = True
    running = start(TELLS)
    setting.says(ended_at="2026-11-21T01:00:00+00:00", ended_why="nobody has used it")
    assert running.over.wait(20)
    assert running.end() is None


def test_its_own_warning(setting: Setting, start: Start) -> None:
    running = start(HEEDS, wait=True)
    setting.orders.warned.set()
    assert running.over.wait(20)
    assert running.end() == 7
    assert setting.left == [2.0], "no more time than its job has"


def test_its_heads_warning(setting: Setting, start: Start) -> None:
    running = start(HEEDS, wait=True)
    setting.says(warned_at="2026-11-21T01:00:00+00:00")
    assert running.over.wait(20)
    assert running.end() == 7
    assert "the head's time ends, and the cluster with it: the script hears of it" in setting.story


def test_a_script_that_takes_longer_than_its_time_is_ended(setting: Setting, start: Start) -> None:
    running = start(DEAF, wait=True, checkpoint=0.1)
    setting.orders.warned.set()
    assert running.over.wait(20)
    assert running.end() == 137
    assert "has no handler for SIGUSR1" in setting.story


def test_a_head_that_hands_over_ends_nothing(setting: Setting, start: Start) -> None:
    running = start(DEAF, wait=True, checkpoint=0.1)
    setting.says(warned_at="2026-11-21T01:00:00+00:00", successor="18")
    eventually(lambda: "the head hands over" in setting.story)
    assert not running.over.wait(0.5)


def test_told_to_stop_the_script_comes_first(setting: Setting, start: Start) -> None:
    running = start(HEEDS, wait=True)
    setting.orders.stop.set()
    assert running.over.wait(20)
    assert running.end() == 8
    assert not setting.left, "Ray's own end drains the node"


def test_a_cluster_that_has_ended(setting: Setting, start: Start) -> None:
    running = start(HEEDS, wait=True)
    setting.says(ended_at="2026-11-21T01:00:00+00:00", ended_why="nobody has used it")
    assert running.over.wait(20)
    assert running.end() == 8
    assert "the cluster has ended: nobody has used it" in setting.story


def test_a_script_whose_ray_has_ended(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ENDS", 0.1)
    running = start(HEEDS, wait=True)
    assert running.end() == NO_HEAD


def test_a_script_that_is_not_there(setting: Setting) -> None:
    errand = Errand(("nothing-of-that-name",), setting.pod.project)
    made = Client(WORKER, setting.pod, JOB, FakeWorker(), setting.orders, setting.told.append, errand)  # type: ignore[arg-type]
    made.begin()
    assert made.over.wait(20)
    assert made.end() == NOT_RUNNABLE


def test_what_to_run(tmp_path: Path) -> None:
    assert Errand.from_environment({}, tmp_path) is None
    run = {"CAI_DEPLOY_RUN": '["python", "x.py"]'}
    assert Errand.from_environment(run, tmp_path) == Errand(("python", "x.py"), tmp_path)
    elsewhere = {**run, "CAI_DEPLOY_RUN_DIRECTORY": "/work"}
    assert Errand.from_environment(elsewhere, tmp_path) == Errand(("python", "x.py"), Path("/work"))
    for text in ("x", "{}", "[]", "[1]", '"x"'):
        with pytest.raises(ConfigError):
            Errand.from_environment({"CAI_DEPLOY_RUN": text}, tmp_path)
