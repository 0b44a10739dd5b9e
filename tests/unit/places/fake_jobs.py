"""The jobs of a project, as values; a PATCH ignores what the platform's ignores."""

from __future__ import annotations

import builtins
from typing import Any

from cai_deploy.api.schemas import CreateJobRequest, Job, JobRun
from tests.unit.places.fake_files import FakeFiles

IGNORED = {"timezone", "paused", "environment"}


class FakeJobs:
    """``calls`` are those that were made, by name."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = list(jobs)
        self.runs: dict[str, list[JobRun]] = {}
        self.calls: list[str] = []

    def list(self, project_id: str) -> builtins.list[Job]:
        self.calls.append("list")
        return [*self.jobs]

    def list_runs(self, project_id: str, job_id: str, *, limit: int) -> builtins.list[JobRun]:
        return self.runs.get(job_id, [])[:limit]

    def create(self, request: CreateJobRequest) -> Job:
        self.calls.append("create")
        shown = {name: value for name, value in request.body().items() if name in Job.model_fields}
        self.jobs.append(Job.read({**shown, "id": f"job-{len(self.calls)}"}))
        return self.jobs[-1]

    def update(self, project_id: str, job_id: str, **fields: Any) -> Job:
        self.calls.append("update")
        assert not IGNORED & fields.keys(), "a PATCH of these does nothing, or too much"
        (job,) = (each for each in self.jobs if each.id == job_id)
        self.jobs[self.jobs.index(job)] = Job.read({**job.model_dump(), **fields})
        return job

    def delete(self, project_id: str, job_id: str) -> None:
        self.calls.append("delete")
        self.jobs = [job for job in self.jobs if job.id != job_id]


class FakeWorkspace:
    """A workspace with ``jobs`` and files, whose clock stands."""

    def __init__(self, *jobs: Job, now: float = 0.0) -> None:
        self.jobs = FakeJobs(*jobs)
        self.files = FakeFiles()
        self._now = now

    def server_time(self) -> float:
        return self._now
