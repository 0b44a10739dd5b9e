"""A job that runs by the clock or after another one, as groundwork: wanted, there or not, created, changed, removed.

It is ours by the mark in its environment and by its name; a job without the mark is never touched. The platform ignores
some changes without a word, so that such a job is made anew. It does not let anybody pause a job either, or go on with
one: that is left to people, and not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cai_deploy.api.client import Client
from cai_deploy.api.schemas import CreateJobRequest, Job
from cai_deploy.errors import DeployError
from cai_deploy.places.cai.marks import CLUSTER, OWNER
from cai_deploy.places.cai.scheduled_jobs import ScheduledRun
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.project.job import SCHEDULED
from cai_deploy.state import Ground, GroundState, Step, WantedGround

KIND = "job"
BY_THE_CLOCK = {
    "timezone": "the platform ignores another time zone",
    "after": "a job that follows another one is never set free",
}
"""Facts of a job with times of its own that no PATCH changes, and why."""

ONLY_ONE = {"jobs of this name": "all but one would run beside it"}
RETRIED = ("retry_for_script_failure", "retry_for_system_failure", "retry_for_timedout_runs")


def wanted(run: ScheduledRun, cluster: str, runtime: str, project_id: str) -> WantedGround:
    """The job that makes ``run`` happen on ``runtime``."""
    mark = _mark(cluster, project_id)
    settings = {
        "script": run.script,
        "arguments": run.arguments,
        "schedule": run.cron,
        "runtime_identifier": runtime,
        "cpu": 1.0,
        "memory": run.memory_gb,
        "timeout": int(run.timeout),
        "kill_on_timeout": True,
        "retry_enabled": run.retries > 0,
        "max_retry": run.retries,
        "retry_delay": run.retry_delay,
        **dict.fromkeys(RETRIED, run.retries > 0),
    }
    # The parent's id is known once it is there.
    parent = {"after": run.after} if run.after else {}
    fixed = {
        "project_id": project_id,
        "name": run.name,
        **({"timezone": run.timezone} if run.cron else {}),
        "environment": {**mark, **({SCHEDULED: run.log} if run.log else {})},
    }
    facts = _facts_of(run, runtime)
    return WantedGround(
        KIND,
        run.name,
        _digest(facts),
        {"method": "POST", "path": _path(project_id), "mark": mark, **parent, "body": {**fixed, **settings}},
        update={
            "method": "PATCH",
            "path": f"{_path(project_id)}/{run.name}",
            "mark": mark,
            **parent,
            "body": {**settings, "timeout": str(settings["timeout"])},
        },
        facts=facts,
        fixed={**ONLY_ONE, **(BY_THE_CLOCK if run.cron else {})},
    )


def unwanted(name: str, cluster: str, project_id: str) -> WantedGround:
    """No such job."""
    mark = _mark(cluster, project_id)
    request = {"method": "DELETE", "path": f"{_path(project_id)}/{name}", "mark": mark}
    return WantedGround(KIND, name, "", request, gone=True)


def look(jobs: Sequence[Job], want: WantedGround) -> Ground:
    """How the job stands among all ``jobs`` of its project."""
    ours = _ours(jobs, want.name, want.request["mark"])
    if not ours:
        return Ground(KIND, want.name, GroundState.ABSENT)
    facts = {name: value for name, value in _facts(ours, jobs).items() if name in want.facts}
    return Ground(KIND, want.name, GroundState.READY, _digest(facts), facts=facts)


def marked(jobs: Sequence[Job], project_id: str) -> list[tuple[str, Job]]:
    """Those of ``jobs`` that carry our mark, each with the cluster that it is for."""
    return [
        (job.environment[CLUSTER], job)
        for job in jobs
        if CLUSTER in job.environment and job.environment.get(OWNER) == project_id
    ]


def apply(client: Client, project_id: str, step: Step) -> None:
    """Create the job, change it, make it anew, or remove it."""
    request = step.request or {}
    jobs = client.jobs.list(project_id)
    ours = _ours(jobs, step.name, request["mark"])
    if step.action == "stop":
        _remove(client, project_id, ours)
        return
    body = {**request["body"], **_parent(jobs, request)}
    if step.action == "update":
        for job in ours[:1]:  # one that is gone by now is found missing at the next look
            client.jobs.update(project_id, job.id, **body)
        return
    made = client.jobs.create(CreateJobRequest.model_validate(body))
    # Whoever dies in between leaves two, and never none; what follows the old one is not set free.
    older = [job for job in ours if job.id != made.id]
    for child in (job for job in jobs if job.parent_id in {old.id for old in older}):
        client.jobs.update(project_id, child.id, parent_id=made.id)
    _remove(client, project_id, older)


def _remove(client: Client, project_id: str, jobs: Sequence[Job]) -> None:
    for job in jobs:
        client.jobs.delete(project_id, job.id)


def _parent(jobs: Sequence[Job], request: Mapping[str, Any]) -> dict[str, str]:
    """The id of the job that the one in ``request`` follows."""
    name = request.get("after")
    if not name:
        return {}
    parents = _ours(jobs, name, request["mark"])
    if not parents:
        raise DeployError(f"job {name} is gone, which another one is to follow", next_step="run the same command again")
    return {"parent_id": parents[0].id}


def _ours(jobs: Sequence[Job], name: str, mark: Mapping[str, str]) -> list[Job]:
    return [job for job in jobs if job.name == name and mark.items() <= job.environment.items()]


def _mark(cluster: str, project_id: str) -> dict[str, str]:
    return {CLUSTER: cluster, OWNER: project_id}


def _facts_of(run: ScheduledRun, runtime: str) -> dict[str, Any]:
    """The settings of a job as they should be. One that follows another has no time zone that counts."""
    return {
        "script": run.script,
        "arguments": run.arguments,
        "cron": run.cron,
        **({"timezone": run.timezone} if run.cron else {}),
        "after": run.after,
        "runtime": runtime,
        "cpu": 1.0,
        "memory_gb": run.memory_gb,
        "timeout": int(run.timeout),
        "killed after it": True,
        "retries": run.retries,
        "retry_delay": run.retry_delay,
        "jobs of this name": 1,
    }


def _facts(ours: Sequence[Job], jobs: Sequence[Job]) -> dict[str, Any]:
    """The same of the first of ``ours`` as it is."""
    job, called = ours[0], {each.id: each.name for each in jobs}
    return {
        "script": job.script,
        "arguments": job.arguments,
        "cron": job.schedule,
        "timezone": job.timezone,
        "after": called.get(job.parent_id, "a job that is gone") if job.parent_id else "",
        "runtime": job.runtime_identifier,
        "cpu": job.cpu,
        "memory_gb": job.memory,
        "timeout": job.timeout,
        "killed after it": job.kill_on_timeout,
        "retries": job.max_retry if job.retry_enabled else 0,
        "retry_delay": job.retry_delay,
        "jobs of this name": len(ours),
    }


def _digest(facts: Mapping[str, Any]) -> str:
    return fingerprint(json.dumps(facts, sort_keys=True))


def _path(project_id: str) -> str:
    return f"/api/v2/projects/{project_id}/jobs"
