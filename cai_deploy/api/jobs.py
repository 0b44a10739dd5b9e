"""Jobs and their runs. API v2 has neither run logs nor exit codes: a run's state is all that it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cai_deploy.api.creation import create_once
from cai_deploy.api.paging import list_all, search_filter
from cai_deploy.api.schemas import CreateJobRequest, CreateJobRunRequest, Job, JobRun
from cai_deploy.api.transport import CREATE_TIMEOUT, Transport, json_object


class Jobs:
    """The jobs of projects."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, project_id: str) -> list[Job]:
        """Every job of a project."""
        return list_all(self._transport, _path(project_id), "jobs", Job)

    def find(self, project_id: str, name: str) -> Job | None:
        """The job of exactly this name."""
        found = list_all(self._transport, _path(project_id), "jobs", Job, search_filter(name=name))
        return next((job for job in found if job.name == name), None)

    def create(self, request: CreateJobRequest) -> Job:
        """Define a job once. Its script must exist in the project."""
        path = _path(request.project_id)

        def send() -> Job:
            answer = self._transport.send("POST", path, body=request.body(), timeout=CREATE_TIMEOUT)
            return Job.model_validate(json_object(answer))

        return create_once(send, lambda: self.find(request.project_id, request.name))

    def update(self, project_id: str, job_id: str, **fields: Any) -> Job:
        """Change fields. ``paused``, ``timezone`` and recipients are accepted and ignored by the platform."""
        body = as_patch(fields)
        return Job.model_validate(
            json_object(self._transport.send("PATCH", f"{_path(project_id)}/{job_id}", body=body))
        )

    def delete(self, project_id: str, job_id: str) -> None:
        """Remove a job."""
        self._transport.send("DELETE", f"{_path(project_id)}/{job_id}")

    def list_runs(self, project_id: str, job_id: str) -> Sequence[JobRun]:
        """A job's runs, newest first."""
        runs = list_all(
            self._transport, f"{_path(project_id)}/{job_id}/runs", "job_runs", JobRun, {"sort": "-created_at"}
        )
        return sorted(runs, key=lambda run: run.created_at, reverse=True)

    def create_run(self, project_id: str, job_id: str, request: CreateJobRunRequest) -> JobRun:
        """Start a run once: after a lost answer, a run that was not there before is the one."""
        before = {run.id for run in self.list_runs(project_id, job_id)}
        path = f"{_path(project_id)}/{job_id}/runs"

        def send() -> JobRun:
            answer = self._transport.send("POST", path, body=request.body(), timeout=CREATE_TIMEOUT)
            return JobRun.model_validate(json_object(answer))

        def find() -> JobRun | None:
            return next((run for run in self.list_runs(project_id, job_id) if run.id not in before), None)

        return create_once(send, find)

    def get_run(self, project_id: str, job_id: str, run_id: str) -> JobRun:
        """One run. Raises NotFound."""
        return JobRun.model_validate(self._transport.read_json(f"{_path(project_id)}/{job_id}/runs/{run_id}"))

    def stop_run(self, project_id: str, job_id: str, run_id: str) -> None:
        """Ask a run to stop."""
        self._transport.send("POST", f"{_path(project_id)}/{job_id}/runs/{run_id}:stop")


def as_patch(fields: dict[str, Any]) -> dict[str, Any]:
    """The body of a PATCH, where an environment is JSON text and an object is refused."""
    return {name: json.dumps(value) if name == "environment" else value for name, value in fields.items()}


def _path(project_id: str) -> str:
    return f"/api/v2/projects/{project_id}/jobs"
