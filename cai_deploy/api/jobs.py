"""Jobs of a project, and their runs. It must not know what a job does."""

from __future__ import annotations

import builtins
from itertools import islice
from typing import Any

from cai_deploy.api.creation import create_once
from cai_deploy.api.errors import NotFound
from cai_deploy.api.paging import PAGE_SIZE, entries, named
from cai_deploy.api.paths import resource
from cai_deploy.api.schema_base import patch_body
from cai_deploy.api.schemas import CreateJobRequest, CreateJobRunRequest, Job, JobRun
from cai_deploy.api.transport import CREATE_TIMEOUT, Transport

RECENT_RUNS = 100
"""The newest runs of a job, among which one that was started just now is looked for."""


class Jobs:
    """The jobs of any project. Every method raises ApiError, PlaceUnreachable or UnreadableAnswer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, project_id: str) -> builtins.list[Job]:
        """All jobs of a project."""
        return [Job.read(entry) for entry in entries(self._transport, _jobs(project_id), "jobs")]

    def find(self, project_id: str, name: str) -> Job | None:
        """The job with exactly this name, None when there is none."""
        return next(iter(self.list_named(project_id, name)), None)

    def list_named(self, project_id: str, name: str) -> builtins.list[Job]:
        """Every job with exactly this name: names may repeat."""
        return [job for job in self._named(project_id, name) if job.name == name]

    def create(self, request: CreateJobRequest) -> Job:
        """Define a job, once even when the answer gets lost. Raises BadRequest when its script is not there."""
        path = _jobs(request.project_id)

        def send() -> Job:
            return Job.read(self._transport.write("POST", path, request.body(), timeout=CREATE_TIMEOUT))

        def look() -> Job | None:
            # Names may repeat, so the script must be ours too.
            wanted = (request.name, request.script)
            there = self._named(request.project_id, request.name)
            return next((job for job in there if (job.name, job.script) == wanted), None)

        return create_once(send, look, self._transport.sleep)

    def update(self, project_id: str, job_id: str, **fields: Any) -> Job:
        """Change the given fields. The server ignores ``paused``, ``timezone`` and recipients without a word."""
        return Job.read(self._transport.write("PATCH", _job(project_id, job_id), patch_body(fields)))

    def delete(self, project_id: str, job_id: str) -> None:
        """Remove a job; one that is gone already is fine."""
        try:
            self._transport.write("DELETE", _job(project_id, job_id))
        except NotFound:
            return

    def list_runs(self, project_id: str, job_id: str, *, limit: int | None = None) -> builtins.list[JobRun]:
        """The runs of a job, newest first; the newest ``limit`` of them when given."""
        path = _job(project_id, job_id, "runs")
        found = entries(self._transport, path, "job_runs", {"sort": "-created_at"}, page_size=limit or PAGE_SIZE)
        return [JobRun.read(entry) for entry in islice(found, limit)]

    def create_run(self, project_id: str, job_id: str, request: CreateJobRunRequest) -> JobRun:
        """Start a run, once even when the answer gets lost."""
        path = _job(project_id, job_id, "runs")
        # Runs have no names: ours is known by not having been there before.
        before = {run.id for run in self.list_runs(project_id, job_id, limit=RECENT_RUNS)}

        def send() -> JobRun:
            return JobRun.read(self._transport.write("POST", path, request.body(), timeout=CREATE_TIMEOUT))

        def look() -> JobRun | None:
            for run in self.list_runs(project_id, job_id, limit=RECENT_RUNS):
                if run.id not in before and request.arguments in (None, run.arguments):
                    return run
            return None

        return create_once(send, look, self._transport.sleep)

    def get_run(self, project_id: str, job_id: str, run_id: str) -> JobRun:
        """One run. Raises NotFound."""
        return JobRun.read(self._transport.read(_job(project_id, job_id, "runs", run_id)))

    def stop_run(self, project_id: str, job_id: str, run_id: str) -> JobRun:
        """Ask a run to stop; it is stopping when this returns. A run ends once, so asking twice comes to the same."""
        path = _job(project_id, job_id, "runs", run_id, action="stop")
        return JobRun.read(self._transport.write("POST", path, repeatable=True))

    def _named(self, project_id: str, name: str) -> builtins.list[Job]:
        found = entries(self._transport, _jobs(project_id), "jobs", named(name))
        return [Job.read(entry) for entry in found]


def _jobs(project_id: str) -> str:
    return resource("projects", project_id, "jobs")


def _job(project_id: str, job_id: str, *more: str, action: str = "") -> str:
    return resource("projects", project_id, "jobs", job_id, *more, action=action)
