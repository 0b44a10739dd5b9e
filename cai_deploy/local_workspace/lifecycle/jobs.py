"""A job run's life: scheduling, starting, running, and one of the ends. A success starts the jobs that depend on it.

Runs come from people, from the schedule, from a parent's success and from retries. What follows from an end is
written together with it, so that a crash in between loses no child and no retry.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta, timezone
from typing import Any

from cai_deploy.local_workspace import records, rules, workloads
from cai_deploy.local_workspace.faults.rules import Kind
from cai_deploy.local_workspace.lifecycle.schedules import Schedules
from cai_deploy.local_workspace.lifecycle.waiting import unless
from cai_deploy.local_workspace.pods import APPLICATION_PORT, HOST_ADDRESS, new_scratch, remove_scratch
from cai_deploy.local_workspace.quota import wanted_by
from cai_deploy.local_workspace.store import Record, new_id
from cai_deploy.local_workspace.workloads import PodNote
from cai_deploy.local_workspace.workspace import Workspace

log = logging.getLogger("local_workspace.jobs")
KIND = "run"
# The field of a job that wants a run with this kind of end retried.
SCRIPT, SYSTEM = "retry_for_script_failure", "retry_for_system_failure"
TIMEDOUT, SKIPPED = "retry_for_timedout_runs", "retry_for_skipped_runs"


class Jobs:
    """Runs jobs, and ends runs."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._store = workspace.store
        self._kicks: dict[str, asyncio.Event] = {}
        self._ending = False
        self.schedules = Schedules(self._run_by_schedule)

    def run(self, job: Record, body: dict[str, Any]) -> Record:
        """A new run of ``job``."""
        record = _new_run(job, body)
        self._store.put(record)
        self._lead_in_background(record.id)
        return record

    def runs_of(self, job: Record) -> list[Record]:
        """Every run of ``job``, oldest first."""
        return self._store.matching(KIND, "inner", "job_id", job.id)

    def follow_schedules(self) -> None:
        """From here on jobs are started by the clock too."""
        self._workspace.in_background("schedules", self.schedules.run())

    def _run_by_schedule(self, job_id: str) -> None:
        if job := self._store.find("job", job_id):
            self._run_unless_active(job, {}, attempt=0)

    def _run_unless_active(self, job: Record, body: dict[str, Any], attempt: int, *also: Record) -> None:
        """A run that nobody asked for by name: while another one goes on it is skipped. ``also`` is written with it."""
        record = _new_run(job, body, attempt)
        if any(run.shown["status"] not in rules.RUN_ENDS for run in self.runs_of(job)):
            log.info("job %s: a run is skipped, as another one is still active", job.id)
            record.shown |= {"status": "ENGINE_SKIPPED", "finished_at": records.now()}
            self._plan_retry(record, job, SKIPPED)
            self._store.put(record, *also)
            self._retry_in_background(record)
        else:
            self._store.put(record, *also)
            self._lead_in_background(record.id)

    def stop(self, identifier: str) -> Record:
        """Stop a run; one that has ended stays as it is."""
        record = self._workspace.require(KIND, identifier)
        if rules.may_follow(record.shown["status"], "ENGINE_STOPPING"):
            self._move(identifier, "ENGINE_STOPPING")
            self._kicks[identifier].set()
        return self._workspace.require(KIND, identifier)

    async def delete(self, job: Record) -> None:
        """Stop every run of ``job`` and forget them and it."""
        self.schedules.forget(job.id)
        job.inner["deleting"] = True  # no more children and retries
        self._store.put(job)
        for run in self.runs_of(job):
            await self._workspace.cancel(f"retry {run.id}")
            self.stop(run.id)
            self._workspace.delays.release(run.id)
        for run in self.runs_of(job):
            await self._workspace.finished(f"run {run.id}")
            self._workspace.delays.forget(run.id)
            self._store.delete(KIND, run.id)
        self._store.delete("job", job.id)
        # A child of nothing is started by people.
        orphans = [other for other in self._store.list("job", job.project_id) if other.shown["parent_id"] == job.id]
        for orphan in orphans:
            orphan.shown["parent_id"] = ""
            orphan.shown["type"] = records.job_type(orphan.shown)
        self._store.put(*orphans)

    def recover(self) -> None:
        """Take up every run where a former server left it."""
        for job in self._store.list("job"):
            if job.inner.get("deleting"):
                self._workspace.in_background(f"delete {job.id}", self.delete(job))
            else:
                self.schedules.follow(job)
        for record in self._store.list(KIND):
            self._retry_in_background(record)
            if pod := record.inner["pod"]:
                started = record.shown["status"] not in ("ENGINE_SCHEDULING", "ENGINE_STARTING")
                if started or self._workspace.pods.status(pod["name"]):
                    self._workspace.quota.hold(record.id, wanted_by(record.shown))
                else:
                    remove_scratch(pod["scratch"])  # the crash came before the pod: start it now
                    record.inner["pod"] = None
                    self._store.put(record)
            if record.shown["status"] not in rules.RUN_ENDS or record.inner["pod"]:
                self._lead_in_background(record.id)
                if record.shown["status"] == "ENGINE_STOPPING":
                    self._kicks[record.id].set()

    async def stop_all(self) -> None:
        """Bring every run to its end; nothing follows from it any more."""
        self._ending = True
        await self._workspace.cancel("schedules")
        identifiers = [run.id for run in self._store.list(KIND) if run.shown["status"] not in rules.RUN_ENDS]
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
        if pod is None and await unless(self._kicks[identifier], self._admission(record)):
            pod = await self._start_pod(identifier)
        end, reason = "ENGINE_FAILED", SYSTEM
        if pod:
            if rules.may_follow(self._status(identifier), "ENGINE_RUNNING"):
                self._move(identifier, "ENGINE_RUNNING", "running_at")
            end, reason = await self._follow(identifier, pod)
        self._workspace.quota.give_back(identifier)
        if self._status(identifier) == "ENGINE_STOPPING":
            end = "ENGINE_STOPPED"
            await self._workspace.delays.wait("run-stopped", identifier)
        self._kicks.pop(identifier, None)
        self._end(identifier, end, reason)

    async def _admission(self, record: Record) -> None:
        """Through scheduling and starting, until its pod may start: for its time, and for its share of the quota."""
        identifier = record.id
        if record.shown["status"] == "ENGINE_SCHEDULING":
            await self._workspace.faults.hold(Kind.STUCK_SCHEDULING, record, self._kicks[identifier])
            await self._workspace.delays.wait("run-starting", identifier)
        await self._workspace.quota.admission(identifier, wanted_by(record.shown))
        if self._status(identifier) == "ENGINE_SCHEDULING":
            self._move(identifier, "ENGINE_STARTING", "starting_at")
        await self._workspace.delays.wait("run-running", identifier)

    def _end(self, identifier: str, end: str, reason: str) -> None:
        """Write the end together with what follows from it."""
        record = self._workspace.require(KIND, identifier)
        record.inner["pod"] = None
        children: list[Record] = []
        if rules.may_follow(record.shown["status"], end):
            record.shown |= {"status": end, "finished_at": records.now()}
            job = self._store.find("job", record.inner["job_id"])
            if job and not job.inner.get("deleting") and not self._ending:
                if end == "ENGINE_SUCCEEDED":
                    siblings = self._store.list("job", record.project_id)
                    children = [_new_run(child, {}) for child in siblings if child.shown["parent_id"] == job.id]
                elif end != "ENGINE_STOPPED":
                    self._plan_retry(record, job, reason)
        self._store.put(record, *children)
        for child in children:
            self._lead_in_background(child.id)
        self._retry_in_background(record)

    def _plan_retry(self, record: Record, job: Record, reason: str) -> None:
        shown, attempt = job.shown, record.inner.get("attempt", 0)
        if shown["retry_enabled"] and shown[reason] and attempt < shown["max_retry"]:
            moment = datetime.now(timezone.utc) + timedelta(seconds=shown["retry_delay"])
            record.inner["retry_at"] = records.written(moment)

    def _retry_in_background(self, record: Record) -> None:
        if record.inner.get("retry_at"):
            self._workspace.in_background(f"retry {record.id}", self._retry(record.id))

    async def _retry(self, identifier: str) -> None:
        """After its pause, another run like the one that ended badly."""
        record = self._workspace.require(KIND, identifier)
        await asyncio.sleep(max(0.0, -records.seconds_since(record.inner["retry_at"])))
        record.inner["retry_at"] = None
        job = self._store.find("job", record.inner["job_id"])
        if job:
            body = {"arguments": record.shown["arguments"], "environment": records.environment_of(record.shown)}
            self._run_unless_active(job, body, record.inner.get("attempt", 0) + 1, record)

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
            return None
        return pod

    async def _follow(self, identifier: str, pod: PodNote) -> tuple[str, str]:
        """The end that the run comes to, by itself, by its time limit or by request; and what kind of end it is."""
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
        record = self._workspace.require(KIND, identifier)
        record.inner["exit_code"] = code
        self._store.put(record)
        if ended not in done:
            return "ENGINE_STOPPED" if kicked in done else "ENGINE_TIMEDOUT", TIMEDOUT
        return "ENGINE_SUCCEEDED" if code == 0 else "ENGINE_FAILED", SYSTEM if code is None else SCRIPT

    def _time_limit(self, identifier: str) -> float | None:
        record = self._workspace.require(KIND, identifier)
        job = self._store.find("job", record.inner["job_id"])
        if job is None or not job.shown["kill_on_timeout"]:
            return None
        limit = float(job.shown["timeout"])
        return max(0.0, limit - records.seconds_since(record.shown["running_at"])) if limit else None

    def _status(self, identifier: str) -> str:
        return str(self._workspace.require(KIND, identifier).shown["status"])

    def _move(self, identifier: str, state: str, moment: str = "") -> None:
        record = self._workspace.require(KIND, identifier)
        if not rules.may_follow(record.shown["status"], state):
            raise ValueError(f"run {identifier}: {state} cannot follow {record.shown['status']}")
        record.shown["status"] = state
        if moment:
            record.shown[moment] = records.now()
        self._store.put(record)


def _new_run(job: Record, body: dict[str, Any], attempt: int = 0) -> Record:
    identifier = new_id()
    inner = {"pod": None, "job_id": job.id, "attempt": attempt, "retry_at": None}
    return Record(KIND, identifier, job.project_id, records.job_run(identifier, body, job.shown), inner)
