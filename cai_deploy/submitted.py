"""A job that was submitted, as a Python value: ask how it is, wait for it, read it, stop it."""

from __future__ import annotations

from cai_deploy.clock import SystemClock
from cai_deploy.submission.ending import stop
from cai_deploy.submission.follow import Follower, Pace
from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import Jobs, must_find


class SubmittedJob:
    """The job ``id`` of a cluster. Every method may raise NoSuchJob, HeadAway or Refused."""

    def __init__(self, jobs: Jobs, job_id: str) -> None:
        self._jobs = jobs
        self.id = job_id

    def __repr__(self) -> str:
        return f"SubmittedJob({self.id!r})"

    @property
    def job(self) -> Job:
        """How it is now: its status, its command, and its exit code once it has ended."""
        return must_find(self._jobs, self.id)

    @property
    def logs(self) -> str:
        """All that it has written so far."""
        return self._jobs.output(self.id)

    def wait(self, *, show: bool = False, patience: float = Pace.patience) -> Job:
        """Until it ends; the job as it ended, whatever its exit code is. With ``show`` its output is printed meanwhile.

        A head that is away is waited for, ``patience`` seconds at most. Ctrl-C leaves the job alone.
        """
        write = _print if show else _nothing
        return Follower(self._jobs, self.id, write, _nothing, Pace(patience=patience)).follow()

    def stop(self) -> Job:
        """End it; the job as it ended."""
        return stop(self._jobs, self.id, SystemClock())[0]


def _print(text: str) -> None:
    print(text, end="", flush=True)


def _nothing(text: str) -> None:
    """For a caller who wants no story."""
