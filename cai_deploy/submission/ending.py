"""Ending a job: asked for once, and looked at until it has ended."""

from __future__ import annotations

from cai_deploy.clock import Clock
from cai_deploy.errors import NotConverged
from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import Jobs, must_find

LOOK = 0.5
PATIENCE = 60.0
"""Seconds. Ray kills what has not ended 3 s after the signal, and tells so a moment later."""


def stop(jobs: Jobs, job_id: str, clock: Clock) -> tuple[Job, bool]:
    """The job once it has ended, and whether it had to be asked. Raises NoSuchJob, HeadAway or NotConverged."""
    job = must_find(jobs, job_id)
    if job.ended:
        return job, False
    jobs.stop(job_id)
    end = clock.now() + PATIENCE
    while not (job := must_find(jobs, job_id)).ended:
        if clock.now() > end:
            raise NotConverged(
                f"job {job_id} is still {job.status} {PATIENCE:.0f} s after it was asked to stop",
                next_step="run the same command again; a job whose resources are not there may be waiting for them",
            )
        clock.sleep(LOOK)
    return job, True
