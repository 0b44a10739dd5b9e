"""The client of Slurm's queue, with its commands played at the shell seam."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import shell
from cai_deploy.errors import CommandFailed, PlaceUnreachable
from cai_deploy.places.slurm.batch import Submission
from cai_deploy.places.slurm.errors import (
    ControllerSilent,
    InvalidAccount,
    InvalidPartition,
    NoSlurm,
    SlurmRefused,
    UnreadableAnswer,
)
from cai_deploy.places.slurm.marks import Mark
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.shell import Completed
from tests.unit.places.slurm.captured import queue as captured_queue
from tests.unit.places.slurm.captured import said

MARK = Mark("ray", "0123456789abcdef", "head", "head", "f" * 16)
SUBMISSION = Submission(Path("/shared/ray/head.sh"), MARK)
TICKET = "t1"


def failing(status: int, words: str = "something in Slurm's own words") -> Callable[[], str]:
    def fail() -> str:
        raise CommandFailed("", status, words)

    return fail


class Commands:
    """Slurm's commands. Each has the answers that it gives, one after the other, the last one ever again."""

    def __init__(self) -> None:
        self.ran: list[list[str]] = []
        self.env: Mapping[str, str] = {}
        self.answers: dict[str, list[str | Callable[[], str]]] = {
            "scontrol ping": ["Slurmctld(primary) at login is UP\n"],
            "scontrol show": ["AccountingStorageType = accounting_storage/none\nMinJobAge = 300 sec\n"],
            "sinfo": [said("sinfo-22.05.txt")],
            "squeue": [json.dumps({"jobs": [], "errors": []})],
            "scancel": [""],
            "sbatch": ["77\n"],
        }

    def run(self, argv: Sequence[str], *, env: Mapping[str, str], timeout: float) -> Completed:
        self.ran.append(list(argv))
        self.env = env
        kind = " ".join(argv[:2]) if argv[0] == "scontrol" else argv[0]
        answers = self.answers[kind]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            return Completed(0, answer() if callable(answer) else answer, "")
        except CommandFailed as failed:
            raise CommandFailed(" ".join(argv), failed.status, failed.output_tail) from None

    def count(self, command: str) -> int:
        return sum(1 for argv in self.ran if argv[0] == command)


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    monkeypatch.setattr(shell, "run", commands.run)
    return commands


@pytest.fixture
def queue(slurm: Commands) -> Queue:
    return Queue({"PATH": "/usr/bin"}, tickets=lambda: TICKET)


def the_job(state: str = "PENDING", **more: Any) -> str:
    sent = MARK.with_ticket(TICKET)
    job = {"job_id": 55, "name": "ray-head", "comment": sent.comment(), "job_state": state, **more}
    return json.dumps({"jobs": [job], "errors": []})


def test_a_job_is_submitted_with_its_mark(slurm: Commands, queue: Queue) -> None:
    assert queue.submit(SUBMISSION) == 77
    assert slurm.ran == [SUBMISSION.argv(TICKET)]


def test_each_submission_has_a_ticket_of_its_own(slurm: Commands) -> None:
    queue = Queue({})
    queue.submit(SUBMISSION)
    queue.submit(SUBMISSION)
    first, second = slurm.ran
    assert first != second


def test_an_answer_that_got_lost_is_looked_for_first(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(124)]
    slurm.answers["squeue"] = [the_job()]
    assert queue.submit(SUBMISSION) == 55
    assert slurm.count("sbatch") == 1


def test_a_job_that_never_arrived_is_sent_once_more(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(124), "78\n"]
    assert queue.submit(SUBMISSION) == 78
    assert [argv[0] for argv in slurm.ran] == ["sbatch", "squeue", "sbatch"]
    assert slurm.ran[0] == slurm.ran[2]


def test_another_submission_of_the_same_node_is_not_the_one_looked_for(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(124), "78\n"]
    slurm.answers["squeue"] = [the_job().replace(TICKET, "t0")]
    assert queue.submit(SUBMISSION) == 78


def test_it_is_not_sent_for_ever(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(124)]
    with pytest.raises(ControllerSilent):
        queue.submit(SUBMISSION)
    assert slurm.count("sbatch") == 2


def test_it_is_not_sent_again_while_nobody_can_look(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(124)]
    slurm.answers["squeue"] = [said("squeue-22.05-controller-down.json")]
    slurm.answers["scontrol ping"] = [failing(1)]
    with pytest.raises(ControllerSilent):
        queue.submit(SUBMISSION)
    assert slurm.count("sbatch") == 1


def test_a_failure_after_the_job_was_taken_is_none(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(1, "Socket timed out on send/recv operation")]
    slurm.answers["squeue"] = [the_job()]
    assert queue.submit(SUBMISSION) == 55


def test_a_number_that_cannot_be_read_is_in_the_queue(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = ["Submitted!\n"]
    slurm.answers["squeue"] = [the_job()]
    assert queue.submit(SUBMISSION) == 55
    slurm.answers["squeue"] = [json.dumps({"jobs": []})]
    with pytest.raises(UnreadableAnswer):
        queue.submit(SUBMISSION)
    assert slurm.count("sbatch") == 2


def test_a_job_that_is_refused_is_told_in_slurms_words(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(1, "Requested node configuration is not available")]
    with pytest.raises(SlurmRefused) as refused:
        queue.submit(SUBMISSION)
    assert type(refused.value) is SlurmRefused
    assert refused.value.why == "Requested node configuration is not available"
    assert slurm.count("sbatch") == 1


def test_the_record_that_slurm_keeps_of_a_refused_job_is_no_job(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(1, "Memory specification can not be satisfied")]
    slurm.answers["squeue"] = [the_job("FAILED", state_reason="BadConstraints")]
    with pytest.raises(SlurmRefused):
        queue.submit(SUBMISSION)


def test_a_partition_that_is_not_there(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(1)]
    with pytest.raises(InvalidPartition) as refused:
        queue.submit(Submission(SUBMISSION.script, MARK, partition="short,nope"))
    assert refused.value.what == "there is no partition nope"
    assert "down, main, short" in refused.value.next_step


def test_an_account_that_is_not_ours(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(1)]
    slurm.answers["scontrol show"] = ["AccountingStorageType = accounting_storage/slurmdbd\n"]
    slurm.answers["sacctmgr"] = ["lab\nteam\n"]
    with pytest.raises(InvalidAccount) as refused:
        queue.submit(Submission(SUBMISSION.script, MARK, account="nope"))
    assert "lab, team" in refused.value.next_step
    (asked,) = [argv for argv in slurm.ran if argv[0] == "sacctmgr"]
    assert f"user={pwd.getpwuid(os.getuid()).pw_name}" in asked  # a number is taken, and finds nobody


def test_an_account_is_not_blamed_where_nobody_keeps_accounts(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sbatch"] = [failing(1)]
    with pytest.raises(SlurmRefused) as refused:
        queue.submit(Submission(SUBMISSION.script, MARK, account="nope"))
    assert type(refused.value) is SlurmRefused


@pytest.mark.parametrize("ask", [Queue.jobs, lambda queue: queue.submit(SUBMISSION), Queue.partitions])
def test_no_slurm_here(slurm: Commands, queue: Queue, ask: Callable[[Queue], Any]) -> None:
    for command in slurm.answers:
        slurm.answers[command] = [failing(127)]
    with pytest.raises(NoSlurm) as absent:
        ask(queue)
    assert isinstance(absent.value, PlaceUnreachable)
    assert not absent.value.retry_helps


def test_a_controller_that_is_down_is_no_empty_queue(slurm: Commands, queue: Queue) -> None:
    slurm.answers["squeue"] = [said("squeue-22.05-controller-down.json")]
    slurm.answers["scontrol ping"] = [failing(1, "Slurmctld(primary) at login is DOWN")]
    with pytest.raises(ControllerSilent) as silent:
        queue.jobs()
    assert silent.value.retry_helps


def test_a_command_that_takes_too_long(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sinfo"] = [failing(124)]
    with pytest.raises(ControllerSilent):
        queue.partitions()


def test_a_command_that_fails_while_the_controller_answers(slurm: Commands, queue: Queue) -> None:
    slurm.answers["sinfo"] = [failing(1, "access denied")]
    with pytest.raises(SlurmRefused, match="access denied"):
        queue.partitions()


def test_the_jobs_of_one_cluster(slurm: Commands, queue: Queue) -> None:
    slurm.answers["squeue"] = [json.dumps(captured_queue())]
    found = queue.of("ray", "0123456789abcdef")
    assert [(mark.node, job.job_id) for mark, job in found] == [("head", 26), ("worker-0", 27), ("worker-1", 28)]


def test_one_job_by_its_number(slurm: Commands, queue: Queue) -> None:
    slurm.answers["squeue"] = [json.dumps(captured_queue())]
    task, array = queue.job(42), queue.job(39)
    assert task
    assert array
    assert (task.job_id, array.job_id) == (42, 39)
    assert queue.job(999) is None


def test_a_job_that_newer_versions_do_not_know(slurm: Commands, queue: Queue) -> None:
    slurm.answers["squeue"] = [failing(1, "Invalid job id specified"), json.dumps({"jobs": []})]
    assert queue.job(999) is None


def test_what_the_queue_still_shows_needs_no_accounts(slurm: Commands, queue: Queue) -> None:
    slurm.answers["squeue"] = [json.dumps(captured_queue())]
    told = queue.history(30)
    assert told
    assert told.exit_code.status == 7
    assert slurm.count("sacct") == 0


def test_what_the_queue_has_forgotten_is_in_the_accounts(slurm: Commands, queue: Queue) -> None:
    slurm.answers["scontrol show"] = ["AccountingStorageType = accounting_storage/slurmdbd\n"]
    slurm.answers["sacct"] = [said("sacct-22.05.json")]
    told = queue.history(25)
    assert told
    assert told.standing.sentence == "it ended with an error"
    slurm.answers["sacct"] = [said("sacct-22.05-nothing.json")]
    assert queue.history(999) is None


def test_accounts_that_cannot_be_read_are_no_empty_history(slurm: Commands, queue: Queue) -> None:
    slurm.answers["scontrol show"] = ["AccountingStorageType = accounting_storage/slurmdbd\n"]
    slurm.answers["sacct"] = [said("squeue-22.05-controller-down.json")]
    with pytest.raises(SlurmRefused):
        queue.history(25)


def test_where_nobody_keeps_accounts_a_forgotten_job_is_forgotten(slurm: Commands, queue: Queue) -> None:
    assert queue.history(25) is None
    assert slurm.count("sacct") == 0


def test_jobs_are_cancelled_together(slurm: Commands, queue: Queue) -> None:
    queue.cancel([27, 26, 27])
    assert slurm.ran == [["scancel", "26", "27"]]


def test_nothing_is_cancelled_when_nothing_is_named(slurm: Commands, queue: Queue) -> None:
    queue.cancel([])
    assert slurm.ran == []  # a bare scancel would ask for less than nothing, and one day for all


def test_to_cancel_what_has_ended_is_no_error(slurm: Commands, queue: Queue) -> None:
    slurm.answers["squeue"] = [json.dumps(captured_queue())]
    slurm.answers["scancel"] = [failing(1, "Job/step already completing or completed")]
    queue.cancel([29, 30, 999])
    with pytest.raises(SlurmRefused):
        queue.cancel([26, 29])


def test_to_cancel_while_the_controller_is_down_is_one(slurm: Commands, queue: Queue) -> None:
    slurm.answers["scancel"] = [failing(8)]
    slurm.answers["scontrol ping"] = [failing(1)]
    with pytest.raises(ControllerSilent):
        queue.cancel([26])


def test_a_warning_goes_to_the_jobs_own_process(slurm: Commands, queue: Queue) -> None:
    queue.warn(26)
    assert slurm.ran == [["scancel", "--batch", "--signal=USR1", "26"]]


def test_what_a_shell_has_set_for_the_commands_does_not_count(slurm: Commands) -> None:
    kept = {"PATH": "/usr/bin", "HOME": "/home/alice", "SLURM_CONF": "/etc/slurm.conf", "SLURM_CLUSTERS": "a"}
    odd = {
        "SBATCH_PARTITION": "x",
        "SQUEUE_STATES": "PD",
        "SINFO_FORMAT": "%N",
        "SLURM_JOB_ID": "1",
        "SACCT_FORMAT": "",
    }
    Queue({**kept, **odd}).jobs()
    assert slurm.env == kept
