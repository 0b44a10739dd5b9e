"""From a command and a directory to a job that a cluster has taken, once and only once.

The job gets its name here, so that a request whose answer was lost can be looked for before it is sent again.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cai_deploy.clock import Clock
from cai_deploy.errors import ConfigError
from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import HeadAway, Jobs, JobsRefusal, Request

AGAIN = 1.0


@dataclass(frozen=True)
class Taken:
    """The cluster has the job. ``found`` is the job when it was there before; ``uploaded`` is about its package."""

    id: str
    found: Job | None = None
    uploaded: bool = False


def new_id() -> str:
    """A name that no other job has."""
    return f"raysubmit_{secrets.token_hex(8)}"


def entrypoint_of(words: Sequence[str]) -> str:
    """The shell line for ``words``; one word alone is a shell line already."""
    return words[0] if len(words) == 1 else shlex.join(words)


def already_there(jobs: Jobs, job_id: str, entrypoint: str) -> Job | None:
    """The job that was submitted as ``job_id`` before. Raises ConfigError when that was for another command."""
    found = jobs.find(job_id)
    if found and found.entrypoint != entrypoint:
        raise ConfigError(
            f"--submission-id {job_id} is taken by another command",
            why=f"it ran as: {found.entrypoint}",
            next_step="choose another id, or leave it out to get one",
        )
    return found


def submit(jobs: Jobs, request: Request, *, clock: Clock, patience: float, say: Callable[[str], object]) -> Taken:
    """Have the cluster take ``request``. Raises HeadAway after ``patience`` seconds, Refused or JobsRefusal."""
    end = clock.now() + patience
    told = False
    while True:
        try:
            return Taken(request.id, uploaded=jobs.submit(request))
        except JobsRefusal:
            found = already_there(jobs, request.id, request.entrypoint)
            if not found:
                raise
            return Taken(request.id, found)  # somebody else was quicker with the same id
        except HeadAway as error:
            if clock.now() > end:
                raise
            if not told:
                say(f"the head does not answer ({error.why}); waiting for it")
            told = True
        clock.sleep(AGAIN)
        try:
            found = already_there(jobs, request.id, request.entrypoint)
        except HeadAway:
            continue
        if found:
            return Taken(request.id, uploaded=True)
