"""What Ray is given to start with, what its tasks get back, and how a worker waits for its head to be listed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from cai_deploy.node import gcs, start_hook
from cai_deploy.node.home import INSTEAD_OF_THE_GCS_OWN, REAL_HOME, REAL_PATH


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time passes only where the hook waits; this is for how long it did."""
    waited: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(waited), sleep=waited.append)
    monkeypatch.setattr(start_hook, "time", clock)
    return waited


def test_a_heads_tasks_have_the_home_and_the_import_path_of_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = start_hook.variables_of_head(tmp_path, {"HOME": "/home/me"})
    assert given[start_hook.HOOK] == "cai_deploy.node.start_hook.begin_head"
    for name, value in {**given, REAL_PATH: "/mine"}.items():
        monkeypatch.setenv(name, value)
    start = SimpleNamespace(env_vars={"THEIRS": "1"})
    start_hook.begin_head(start, head=True)
    assert start.env_vars == {"THEIRS": "1", **INSTEAD_OF_THE_GCS_OWN, "HOME": "/home/me", "PYTHONPATH": "/mine"}
    assert not {start_hook.HOOK, REAL_HOME, REAL_PATH} & os.environ.keys()


def test_a_workers_tasks_have_the_import_path_of_the_person_once_its_head_is_listed(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    asked: list[str] = []

    class Listing:
        def __init__(self, address: str) -> None:
            asked.append(address)

        def nodes(self) -> list[gcs.RayNode]:
            head = gcs.RayNode(b"1", "head", "ALIVE", is_head=True)
            return [gcs.RayNode(b"2", "worker-1", "ALIVE"), *([head] if pauses else [])]

    monkeypatch.setattr(start_hook, "Gcs", Listing)
    given = start_hook.variables_of_worker("10.0.0.9:6379", {REAL_PATH: "/mine"})
    for name, value in {**given, REAL_PATH: "/mine"}.items():
        monkeypatch.setenv(name, value)
    start = SimpleNamespace(env_vars=None)
    start_hook.begin_worker(start, head=False)
    assert (asked, len(pauses)) == (["10.0.0.9:6379"], 1)
    assert start.env_vars == {"PYTHONPATH": "/mine"}
    assert not {start_hook.HOOK, start_hook.GCS, REAL_PATH} & os.environ.keys()


def test_who_has_a_start_hook_keeps_it(tmp_path: Path) -> None:
    theirs = {"HOME": "/home/me", start_hook.HOOK: "mine.hook", "PYTHONPATH": "/ours:/mine", REAL_PATH: "/mine"}
    assert start_hook.variables_of_head(tmp_path, theirs) == {}
    assert start_hook.variables_of_worker("10.0.0.9:6379", theirs) == {"PYTHONPATH": "/mine"}


def test_a_head_that_is_there_costs_no_pause(pauses: list[float]) -> None:
    start_hook.wait_for_head(lambda: True)
    assert pauses == []


def test_a_head_that_comes_is_waited_for_while_its_gcs_is_away(pauses: list[float]) -> None:
    answers: Iterator[object] = iter([OSError("away"), False, True])

    def is_listed() -> bool:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return bool(answer)

    start_hook.wait_for_head(is_listed)
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("away", "told"),
    [(False, "it has a GCS, which does not list it yet"), (True, "its GCS does not answer: away")],
)
def test_a_head_that_never_comes_is_rays_to_complain_of(
    away: bool, told: str, pauses: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    def is_listed() -> bool:
        if away:
            raise OSError("away")
        return False

    start_hook.wait_for_head(is_listed)
    assert start_hook.PATIENCE < sum(pauses) < start_hook.PATIENCE + 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"waiting for the head: {told} (10 s)"
    assert len(lines) == start_hook.PATIENCE // start_hook.TELL_EVERY - 1
