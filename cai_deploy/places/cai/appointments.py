"""The jobs of a project that act on a cluster while nobody is there, as they are, with their last runs. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from cai_deploy.api.client import Client
from cai_deploy.api.schemas import Job
from cai_deploy.places.appointment import Appointment
from cai_deploy.places.cai.job_ground import marked

PREFIX = "ENGINE_"


def appointments(client: Client, project_id: str, cluster: str) -> list[Appointment]:
    """Every job of ours for ``cluster``; one that follows another comes right after it."""
    jobs = client.jobs.list(project_id)
    called = {job.id: job.name for job in jobs}
    ours = [job for of, job in marked(jobs, project_id) if of == cluster]
    ids = {job.id for job in ours}
    firsts = sorted((job for job in ours if job.parent_id not in ids), key=lambda job: job.name)
    return [_read(client, project_id, job, called) for first in firsts for job in _in_turn(first, ours)]


def _in_turn(first: Job, jobs: list[Job]) -> Iterator[Job]:
    yield first
    for job in sorted((each for each in jobs if each.parent_id == first.id), key=lambda each: each.name):
        yield from _in_turn(job, jobs)


def _read(client: Client, project_id: str, job: Job, called: dict[str, str]) -> Appointment:
    last = next(iter(client.jobs.list_runs(project_id, job.id, limit=1)), None)
    return Appointment(
        job.name,
        job.schedule,
        job.timezone if job.schedule else "",
        called.get(job.parent_id, "a job that is gone") if job.parent_id else "",
        job.paused,
        last.status.removeprefix(PREFIX).lower() if last else "",
        last.created_at if last else "",
    )
