"""Slurm's queue: jobs submitted, listed, warned and cancelled, through its commands behind the shell seam.

It knows jobs and marks, no clusters and no plans, and it never waits. What it decides follows from exit codes and
fields: a command that failed is explained by asking the controller itself (``scontrol ping``), a refused job by looking
for what it named. An answer that got lost is looked for by the submission's ticket before anything is sent again.
"""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from cai_deploy import shell
from cai_deploy.errors import CommandFailed, DeployError
from cai_deploy.node.batch import slurm_commands
from cai_deploy.places.slurm import marks
from cai_deploy.places.slurm.answers import (
    NOTHING_FOUND,
    PARTITION_FORMAT,
    Fault,
    Job,
    Partition,
    read_history,
    read_job_id,
    read_partitions,
    read_queue,
    read_settings,
)
from cai_deploy.places.slurm.batch import Submission
from cai_deploy.places.slurm.errors import (
    ControllerSilent,
    InvalidAccount,
    InvalidPartition,
    NoSlurm,
    SlurmRefused,
    UnreadableAnswer,
    said,
)
from cai_deploy.places.slurm.states import ENDS
from cai_deploy.state import NodeState

NOT_FOUND = 127
TOO_LATE = 124

SENDINGS = 2

PATIENCE = 60.0
"""Seconds for one command. Slurm's own wait 9 s for a controller that is down, and minutes for one that is busy."""

GOING = (*ENDS, NodeState.STOPPING)


def new_ticket() -> str:
    """What tells one submission from every other."""
    return secrets.token_hex(6)


class Queue:
    """The queue of the Slurm that this machine belongs to. ``patience`` is how long one command may take."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        patience: float = PATIENCE,
        tickets: Callable[[], str] = new_ticket,
    ) -> None:
        self._env = slurm_commands.environment(environ)
        self._patience = patience
        self._tickets = tickets

    def submit(self, submission: Submission) -> int:
        """Submit a job, once; its number. Raises SlurmRefused, NoSlurm or ControllerSilent.

        When the answer does not come, the job is there or not: it is looked for, and sent a second time if it is not.
        """
        ticket = self._tickets()
        for _ in range(SENDINGS):
            job_id = self._send(submission, ticket)
            if job_id is not None:
                return job_id
        raise ControllerSilent(f"no answer to sbatch within {self._patience:g} seconds, and the job is not there")

    def jobs(self) -> tuple[Job, ...]:
        """Our user's jobs that the controller knows, those too that have ended some minutes ago (its MinJobAge).

        22.05 heeds no filter together with ``--json`` and tells everybody's, the ended ones included.
        """
        return self._squeue("--me")

    def of(self, cluster: str, owner: str) -> list[tuple[marks.Mark, Job]]:
        """The jobs that are nodes of one cluster, with their marks."""
        return marks.ours(self.jobs(), cluster, owner)

    def job(self, job_id: int) -> Job | None:
        """The job with this number, anybody's (that of an array means one of its tasks); None when none is known."""
        try:
            jobs = self._squeue(f"--jobs={job_id}")
        except SlurmRefused:  # as newer versions do when they do not know the job
            jobs = self.jobs()
        exact = (job for job in jobs if job.job_id == job_id)
        return next(exact, None) or next((job for job in jobs if job.array_job_id == job_id), None)

    def history(self, job_id: int) -> Job | None:
        """The job with this number as it was last known; None when it is forgotten, or nobody keeps accounts here.

        Accounts keep no comment unless the site wants them to, so a mark is only sure to be on what the queue shows.
        """
        known = self.job(job_id)
        if known or not self.keeps_accounts():
            return known
        answer = read_history(self._run("sacct", "--json", f"--jobs={job_id}"))
        if any(fault.error_number not in NOTHING_FOUND for fault in answer.errors):
            raise self._wrong("sacct", answer.errors)
        return next((job for job in answer.jobs if job_id in (job.job_id, job.array_job_id)), None)

    def cancel(self, job_ids: Iterable[int]) -> None:
        """End these jobs. One that has ended already, or that nobody knows any more, is no error."""
        asked = sorted(set(job_ids))
        if asked:
            self._tell(asked, "scancel")

    def warn(self, job_id: int, signal: str = "USR1") -> None:
        """Send a signal to a job's own process, as its time limit would. No error when it has ended."""
        self._tell([job_id], "scancel", "--batch", f"--signal={signal}")

    def partitions(self) -> tuple[Partition, ...]:
        """The partitions that we may see."""
        return read_partitions(self._run("sinfo", "--noheader", f"--format={PARTITION_FORMAT}"))

    def settings(self) -> dict[str, str]:
        """Slurm's own settings: SLURM_VERSION, ClusterName, MinJobAge, KillWait and many more."""
        return read_settings(self._run("scontrol", "show", "config"))

    def keeps_accounts(self) -> bool:
        """Whether ended jobs are remembered when the controller has forgotten them."""
        return not self.settings().get("AccountingStorageType", "none").endswith("none")

    def accounts(self) -> frozenset[str]:
        """The accounts that our user may use; none when nobody keeps accounts here."""
        if not self.keeps_accounts():
            return frozenset()
        user = f"user={pwd.getpwuid(os.getuid()).pw_name}"
        answer = self._run("sacctmgr", "--noheader", "--parsable2", "show", "associations", user, "format=account")
        return frozenset(filter(None, answer.splitlines()))

    def _squeue(self, which: str) -> tuple[Job, ...]:
        answer = read_queue(self._run("squeue", "--json", "--states=all", which))
        if answer.errors:  # with status 0 and without jobs: this is not an empty queue
            raise self._wrong("squeue", answer.errors)
        return answer.jobs

    def _tell(self, job_ids: Sequence[int], *command: str) -> None:
        try:
            self._raw(*command, *map(str, job_ids))
        except CommandFailed as failed:
            explained = self._explained(failed)
            if not isinstance(explained, SlurmRefused):
                raise explained from failed
            # Which of the jobs was meant is in its words alone: what matters is whether one is left.
            lives = {job.job_id for job in self.jobs() if job.standing.state not in GOING}
            if lives & set(job_ids):
                raise explained from failed

    def _send(self, submission: Submission, ticket: str) -> int | None:
        """The job's number; None when the answer did not come and the job is not there."""
        try:
            return read_job_id(self._raw(*submission.argv(ticket)))
        except CommandFailed as failed:
            if failed.status == NOT_FOUND:
                raise NoSlurm("sbatch") from failed
            found = self._sent(submission, ticket)
            late = failed.status == TOO_LATE
            # Slurm keeps a record of some jobs that it refuses, as one that failed without having run.
            if found and (late or not found.over):
                return found.job_id
            if not late:
                raise self._refusal(submission, said(failed)) from failed
            return None
        except UnreadableAnswer:
            # It has been taken all the same: what it is called is in the queue.
            found = self._sent(submission, ticket)
            if found is None:
                raise
            return found.job_id

    def _sent(self, submission: Submission, ticket: str) -> Job | None:
        """The job of this very submission, if Slurm has it."""
        marked = self.of(submission.mark.cluster, submission.mark.owner)
        return next((job for mark, job in marked if mark.ticket == ticket), None)

    def _refusal(self, submission: Submission, why: str) -> DeployError:
        """Why a job was not taken, by looking for what it named."""
        with suppress(SlurmRefused):
            partitions = {partition.name for partition in self.partitions()}
            for partition in filter(None, submission.partition.split(",")):
                if partition not in partitions:
                    return InvalidPartition(partition, partitions, why)
            if submission.account and (accounts := self.accounts()) and submission.account not in accounts:
                return InvalidAccount(submission.account, accounts, why)
        return SlurmRefused(f"Slurm does not take the job {submission.mark.job_name}", why)

    def _wrong(self, command: str, faults: Sequence[Fault]) -> DeployError:
        """What errors mean that stand in an answer."""
        why = "; ".join(map(str, faults))
        return SlurmRefused(f"{command} failed", why) if self._answers() else ControllerSilent(why)

    def _explained(self, failed: CommandFailed) -> DeployError:
        command = failed.command.split()[0]
        if failed.status == NOT_FOUND:
            return NoSlurm(command)
        if failed.status == TOO_LATE or not self._answers():
            return ControllerSilent(said(failed))
        return SlurmRefused(f"{command} failed", said(failed))

    def _answers(self) -> bool:
        """Whether the controller is up, which ``scontrol ping`` tells by its exit code."""
        try:
            self._raw("scontrol", "ping")
        except CommandFailed:
            return False
        return True

    def _run(self, *argv: str) -> str:
        try:
            return self._raw(*argv)
        except CommandFailed as failed:
            raise self._explained(failed) from failed

    def _raw(self, *argv: str) -> str:
        return shell.run(argv, env=self._env, timeout=self._patience).stdout
