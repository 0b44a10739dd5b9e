"""What a node asks of Slurm, with the commands' answers in place of Slurm."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import shell
from cai_deploy.errors import CommandFailed
from cai_deploy.node.batch import slurm_commands
from cai_deploy.node.batch.slurm_commands import NoSuccessor, end_of, submit_successor
from cai_deploy.places.slurm.marks import Mark, read
from cai_deploy.shell import Completed

MARK = Mark("ray", "0123456789abcdef", "head", "head", "f" * 16, 4, "a" * 12)
ENVIRON = {"SLURM_CONF": "/s.conf", "SLURM_JOB_ID": "17", "SBATCH_PARTITION": "other", "PATH": "/bin"}


class Commands:
    """Slurm's commands. An answer that is an error is raised."""

    def __init__(self, **answers: str | Exception) -> None:
        self._answers = answers
        self.asked: list[list[str]] = []

    def run(self, argv: Sequence[str], *, env: Mapping[str, str], **_: Any) -> Completed:
        assert set(env) == {"SLURM_CONF", "PATH"}, "this job's variables would change what the commands do"
        self.asked.append(list(argv))
        answer = self._answers[argv[0]]
        if isinstance(answer, Exception):
            raise answer
        return Completed(0, answer, "")


def commands(monkeypatch: pytest.MonkeyPatch, **answers: str | Exception) -> Commands:
    made = Commands(**answers)
    monkeypatch.setattr(shell, "run", made.run)
    return made


def test_newer_slurms_tell_a_job_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = commands(monkeypatch)
    ends = end_of(17, {"SLURM_JOB_END_TIME": "1790000000"})
    assert ends == datetime.fromtimestamp(1790000000, timezone.utc)
    assert not asked.asked


def test_others_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    commands(monkeypatch, squeue="2026-11-21T15:00:00\n")
    assert end_of(17, ENVIRON) == datetime(2026, 11, 21, 15).astimezone()


@pytest.mark.parametrize("answer", ["N/A", "NONE", "", CommandFailed("squeue", 124, "no end after 5 seconds")])
def test_no_end_that_anybody_knows_of(monkeypatch: pytest.MonkeyPatch, answer: str | Exception) -> None:
    commands(monkeypatch, squeue=answer)
    assert end_of(17, ENVIRON) is None


def test_a_successor_waits_for_this_job_and_carries_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = commands(monkeypatch, squeue=f"ray-head|{MARK.comment()}\n", sbatch="18;cluster\n")
    assert submit_successor(17, Path("/p/head.sh"), ENVIRON) == "18"
    command = asked.asked[-1]
    assert (command[0], command[-1]) == ("sbatch", "/p/head.sh")
    assert {"--parsable", "--job-name=ray-head", "--dependency=afterany:17"} <= set(command)
    (comment,) = [word.removeprefix("--comment=") for word in command if word.startswith("--comment=")]
    mark = read(comment, "ray-head")
    assert mark
    assert mark.ticket != MARK.ticket
    assert mark.with_ticket(MARK.ticket) == MARK
    assert json.loads(comment)


@pytest.mark.parametrize(
    "answers",
    [
        {"squeue": CommandFailed("squeue", 1, "down")},
        {"squeue": "ray-head|", "sbatch": CommandFailed("sbatch", 1, "invalid partition")},
        {"squeue": "ray-head|", "sbatch": "hm"},
    ],
)
def test_no_successor(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str | Exception]) -> None:
    commands(monkeypatch, **answers)
    with pytest.raises(NoSuccessor):
        submit_successor(17, Path("/p/head.sh"), ENVIRON)


def test_what_says_which_slurm_it_is_stays() -> None:
    assert slurm_commands.environment(ENVIRON) == {"SLURM_CONF": "/s.conf", "PATH": "/bin"}
