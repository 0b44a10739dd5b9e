"""Following a client's job to its end: what it writes comes on stdout, and its exit code is ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from cai_deploy.clock import Clock
from cai_deploy.errors import PlaceUnreachable
from cai_deploy.places.slurm.answers import Job
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.state import NodeState

LOOK = 1.0
"""Seconds between two looks at the queue."""

CANCELLED = 143
"""With which a job ends that somebody ended: as a program that SIGTERM ends."""

SIGNALLED = 128


def follow(
    queue: Queue, job_id: int, output: Path, clock: Clock, *, say: Callable[[str], None], write: BinaryIO
) -> Job | None:
    """The job as it ended, after all that it wrote; None when Slurm has forgotten it."""
    read, told = 0, ""
    while True:
        try:
            job = queue.job(job_id)
        except PlaceUnreachable as error:
            if not error.retry_helps:
                raise
            standing, over = f"Slurm does not answer now: {error.why}", False
        else:
            standing, over = (job.standing.sentence, job.over) if job else ("", True)
        read = _copy(output, read, write)
        if over:
            return job
        if standing != told:
            say(f"job {job_id}: {standing}")
            told = standing
        clock.sleep(LOOK)


def exit_code(job: Job | None) -> int:
    """With which a command ends that followed ``job``. Of a job that Slurm has forgotten nothing good is assumed."""
    if job is None:
        return 1
    ended = job.exit_code
    if ended.status:
        return ended.status
    if ended.signal:
        return SIGNALLED + ended.signal
    if "COMPLETED" in job.job_state:
        return 0
    return CANCELLED if job.standing.state is NodeState.STOPPED else 1


def _copy(file: Path, start: int, write: BinaryIO) -> int:
    """Write what came to ``file`` behind its byte ``start``; where it ends now."""
    try:
        with file.open("rb") as output:
            output.seek(start)
            new = output.read()
    except FileNotFoundError:
        return start
    write.write(new)
    write.flush()
    return start + len(new)
