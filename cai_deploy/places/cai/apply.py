"""Carrying out a step: its request, as it stands in the plan, is what is sent.

Each function returns when the workspace has accepted the request. Creating is safe to repeat, as the client looks
before it tries again.
"""

from __future__ import annotations

from typing import Any

from cai_deploy.api.client import Client
from cai_deploy.api.schemas import (
    CreateApplicationRequest,
    CreateJobRequest,
    CreateJobRunRequest,
    CreateProjectRequest,
)
from cai_deploy.places.cai import job_ground, kept, program
from cai_deploy.state import Step


def apply(client: Client, step: Step, project_id: str) -> None:
    """Send what ``step`` asks for. Raises ApiError when the workspace refuses it."""
    request = step.request or {}
    if step.kind == "project":
        client.projects.create(CreateProjectRequest.model_validate(request["body"]))
    elif step.kind == program.KIND:
        program.upload(client, project_id, step)
    elif step.kind in ("environment", "code"):
        run_job(client, project_id, request["job"], request["body"])
    elif step.kind in ("specification", "record"):
        put = kept.create if step.action == "create" else kept.replace
        put(client.files, project_id, request["body"]["path"], request["body"]["content"])
    elif step.kind == job_ground.KIND:
        job_ground.apply(client, project_id, step)
    elif step.kind == "sleep" and step.action == "stop":
        client.files.delete(project_id, request["body"]["path"])
    elif step.kind in ("sleep", "credential"):
        client.files.upload(project_id, request["body"]["path"], request["body"]["content"].encode())
    elif step.kind == "launcher":
        put_file = client.files.create if step.action == "create" else client.files.upload
        put_file(project_id, request["body"]["path"], request["body"]["content"].encode())
    else:
        apply_to_node(client, step, project_id)


def run_job(client: Client, project_id: str, job: dict[str, Any], run: dict[str, Any]) -> None:
    """Start a run of ``job``, after creating it or bringing it up to date."""
    there = client.jobs.find(project_id, job["name"])
    if there is None:
        there = client.jobs.create(CreateJobRequest.model_validate({**job, "project_id": project_id}))
    elif there.runtime_identifier != job["runtime_identifier"] or there.script != job["script"]:
        client.jobs.update(project_id, there.id, script=job["script"], runtime_identifier=job["runtime_identifier"])
    client.jobs.create_run(project_id, there.id, CreateJobRunRequest.model_validate(run))


def apply_to_node(client: Client, step: Step, project_id: str) -> None:
    """Create, change, restart or delete one application. A PATCH restarts nothing by itself."""
    if step.action == "create":
        client.applications.create(CreateApplicationRequest.model_validate((step.request or {})["body"]))
    elif step.action in ("update", "restart"):
        if step.request:
            client.applications.update(project_id, step.native_id, **step.request["body"])
        if step.action == "restart":
            client.applications.restart(project_id, step.native_id)
    elif step.action == "stop":
        client.applications.delete(project_id, step.native_id)
