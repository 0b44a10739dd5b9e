"""Which place is opened; the way to a head, waited for while it is worth it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from cai_deploy.access import Access
from cai_deploy.config import WorkspaceTarget
from cai_deploy.places.base import HeadRefuses, HeadSilent, NoHead
from cai_deploy.session import Session, open_session, project_directory
from cai_deploy.slurm_options import Slurm
from cai_deploy.spec import ClusterSpec

WAY = Access("https://ray-head.ml.example.com")


class Clock:
    time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Place:
    """Answers as it is told to; with its last answer for ever."""

    def __init__(self, *answers: NoHead | Access) -> None:
        self.answers = list(answers)

    def access(self, spec: ClusterSpec) -> Access:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, NoHead):
            raise answer
        return answer


def access(*answers: NoHead | Access, patience: float = 10.0) -> tuple[Access, Clock]:
    clock = Clock()
    session = Session(cast(Any, Place(*answers)), cast(WorkspaceTarget, None), False, ClusterSpec(), False)
    return session.access(patience=patience, clock=clock), clock


def test_a_head_that_is_not_up_yet_is_waited_for() -> None:
    way, clock = access(HeadSilent("x"), HeadSilent("x"), WAY)
    assert (way, clock.time) == (WAY, 2.0)


@pytest.mark.parametrize("error", [NoHead("x"), HeadRefuses("x")])
def test_what_time_does_not_mend_is_not_waited_for(error: NoHead) -> None:
    with pytest.raises(type(error)):
        access(error, WAY)


def test_a_head_that_has_failed_is_not_waited_for() -> None:
    failed = HeadSilent("x")
    failed.retry_helps = False
    with pytest.raises(HeadSilent):
        access(failed, WAY)


@pytest.mark.parametrize("patience", [0.0, 5.0])
def test_patience_ends(patience: float) -> None:
    with pytest.raises(HeadSilent):
        access(*[HeadSilent("x")] * 7, WAY, patience=patience)


def test_the_specification_says_which_place_is_opened(tmp_path: Path) -> None:
    told: list[str] = []
    spec = ClusterSpec.model_validate({"place": "slurm", "slurm": {"directory": str(tmp_path)}})
    session = open_session(None, spec=spec, tell=told.append)
    assert (session.place.name, session.place.runs_as) == ("slurm", "job")
    assert (session.target, session.local) == (None, False)
    assert told == [f"place: Slurm, with the files in {tmp_path}"]


def test_the_project_directory_is_where_one_stands_unless_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.chdir(tmp_path)
    assert project_directory(ClusterSpec()) == tmp_path
    assert project_directory(ClusterSpec(slurm=Slurm(directory="~/ray"))) == Path("/home/ann/ray")
    (tmp_path / "below").mkdir()
    for command in (
        ["init", "--quiet"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a", "--allow-empty"],
    ):
        subprocess.run(["git", *command], check=True, cwd=tmp_path)
    monkeypatch.chdir(tmp_path / "below")
    assert project_directory(ClusterSpec()) == tmp_path
