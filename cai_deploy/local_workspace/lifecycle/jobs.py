"""A job run's life: scheduling, starting, running, and one of the ends. A success starts the jobs that depend on it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from cai_deploy.local_workspace import records, rules, workloads
from cai_deploy.local_workspace.faults.rules import Kind
from cai_deploy.local_workspace.pods import APPLICATION_PORT, HOST_ADDRESS, new_scratch
from cai_deploy.local_workspace.store import Record, new_id
from cai_deploy.local_workspace.workloads import PodNote
from cai_deploy.local_workspace.workspace import Workspace

log = logging.getLogger("local_workspace.jobs")
KIND = "run"


class Jobs:
    """Runs jobs, and ends runs."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._store = workspace.store
        self._kicks: dict[str, asyncio.Event] = {}

    def run(self, job: Record, body: dict[str, Any]) -> Record:
        """A new run of ``job``."""
        identifier = new_id()
        record = Record(KIND, identifier, job.project_id, records.job_run(identifier, body, job.shown))
        record.inner = {"pod": None, "job_id": job.id}
        self._store.put(record)
        self._lead_in_background(identifier)
        return record

    def runs_of(self, job: Record) -> list[Record]:
        """Every run of ``job``, oldest first."""
        return [run for run in self._store.list(KIND, job.project_id) if run.inner["job_id"] == job.id]

    def stop(self, identifier: str) -> Record:
        """Stop a run; one that has ended stays as it is."""
        record = self._workspace.require(KIND, identifier)
        if rules.may_follow(record.shown["status"], "ENGINE_STOPPING"):
            self._move(identifier, "ENGINE_STOPPING")
            self._kicks[identifier].set()
        return self._workspace.require(KIND, identifier)

    async def delete(self, job: Record) -> None:
        """Stop every run of ``job`` and forget them and it."""
        for run in self.runs_of(job):
            self.stop(run.id)
        for run in self.runs_of(job):
            await self._workspace.finished(f"run {run.id}")
            self._store.delete(KIND, run.id)
        self._store.delete("job", job.id)

    def recover(self) -> None:
        """Take up every run where a former server left it."""
        for record in self._store.list(KIND):
            if record.shown["status"] not in rules.RUN_ENDS or record.inner["pod"]:
                self._lead_in_background(record.id)
                if record.shown["status"] == "ENGINE_STOPPING":
                    self._kicks[record.id].set()

    async def stop_all(self) -> None:
        """Bring every run to its end."""
        identifiers = [record.id for record in self._store.list(KIND)]
        for identifier in identifiers:
            self.stop(identifier)
        await asyncio.gather(*(self._workspace.finished(f"run {identifier}") for identifier in identifiers))

    def _lead_in_background(self, identifier: str) -> None:
        self._kicks.setdefault(identifier, asyncio.Event())
        self._workspace.in_background(f"run {identifier}", self._lead(identifier))

    async def _lead(self, identifier: str) -> None:
        """From the record's state to an end."""
        record = self._workspace.require(KIND, identifier)
        pod = PodNote(**record.inner["pod"]) if record.inner["pod"] else None
        if pod is None:
            await self._workspace.faults.hold(Kind.STUCK_SCHEDULING, record, self._kicks[identifier])
        if pod is None and not self._kicks[identifier].is_set():
            if self._status(identifier) == "ENGINE_SCHEDULING":
                self._move(identifier, "ENGINE_STARTING", "starting_at")
            pod = await self._start_pod(identifier)
        end = "ENGINE_FAILED"
        if pod:
            if rules.may_follow(self._status(identifier), "ENGINE_RUNNING"):
                self._move(identifier, "ENGINE_RUNNING", "running_at")
            end = await self._follow(identifier, pod)
            record = self._workspace.require(KIND, identifier)
            record.inner["pod"] = None
            self._store.put(record)
        if self._status(identifier) == "ENGINE_STOPPING":
            end = "ENGINE_STOPPED"
        if rules.may_follow(self._status(identifier), end):
            self._move(identifier, end)
        self._kicks.pop(identifier, None)
        if end == "ENGINE_SUCCEEDED":
            self._start_dependents(record)

    async def _start_pod(self, identifier: str) -> PodNote | None:
        record = self._workspace.require(KIND, identifier)
        job = self._workspace.require("job", record.inner["job_id"])
        pod = PodNote(f"{identifier}-1", 1, HOST_ADDRESS, APPLICATION_PORT, new_scratch())
        record.inner["pod"] = pod.stored()
        self._store.put(record)
        project = self._workspace.require("project", record.project_id)
        shown = record.shown
        layers = [records.environment_of(each) for each in (project.shown, job.shown, shown)]
        layers.append({"JOB_ARGUMENTS": shown["arguments"]})
        try:
            spec = await workloads.pod_spec(
                self._workspace, shown, job.shown["script"], record.project_id, pod, *layers
            )
            await self._workspace.pods.start(spec, walled=False)
        except Exception:
            log.exception("run %s: no pod", identifier)
            await self._workspace.pods.clear(pod.name, identifier, pod.scratch)
            record = self._workspace.require(KIND, identifier)
            record.inner["pod"] = None
            self._store.put(record)
            return None
        return pod

    async def _follow(self, identifier: str, pod: PodNote) -> str:
        """The end that the run comes to, by itself, by its time limit or by request."""
        pods = self._workspace.pods
        ended = asyncio.create_task(pods.wait_for_end(pod.name))
        kicked = asyncio.create_task(self._kicks[identifier].wait())
        done, _ = await asyncio.wait(
            {ended, kicked}, timeout=self._time_limit(identifier), return_when=asyncio.FIRST_COMPLETED
        )
        kicked.cancel()
        if ended not in done:
            await pods.stop(pod.name, self._workspace.settings.stop_grace)
        code = await ended
        await pods.clear(pod.name, identifier, pod.scratch)
        if ended not in done:
            return "ENGINE_STOPPED" if kicked in done else "ENGINE_TIMEDOUT"
        return "ENGINE_SUCCEEDED" if code == 0 else "ENGINE_FAILED"

    def _time_limit(self, identifier: str) -> float | None:
        record = self._workspace.require(KIND, identifier)
        job = self._store.find("job", record.inner["job_id"])
        if job is None or not job.shown["kill_on_timeout"]:
            return None
        limit = float(job.shown["timeout"])
        return max(0.0, limit - records.seconds_since(record.shown["running_at"])) if limit else None

    def _start_dependents(self, record: Record) -> None:
        for job in self._store.list("job", record.project_id):
            if job.shown["parent_id"] == record.inner["job_id"]:
                self.run(job, {})

    def _status(self, identifier: str) -> str:
        return str(self._workspace.require(KIND, identifier).shown["status"])

    def _move(self, identifier: str, state: str, moment: str = "") -> None:
        record = self._workspace.require(KIND, identifier)
        if not rules.may_follow(record.shown["status"], state):
            raise ValueError(f"run {identifier}: {state} cannot follow {record.shown['status']}")
        record.shown["status"] = state
        if moment:
            record.shown[moment] = records.now()
        if state in rules.RUN_ENDS:
            record.shown["finished_at"] = records.now()
        self._store.put(record)
