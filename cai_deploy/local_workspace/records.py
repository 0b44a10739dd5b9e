"""Builders of what the API shows: every field of the schema, with the zero value that the service sends.

Strings are ``""``, lists ``[]``, int64 a decimal string, times RFC 3339 with Z or null, an environment JSON text.
Pure; whether a request is allowed is decided in ``rules``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from cai_deploy.local_workspace import cron, rules

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_STOPPED = {"APPLICATION_STOPPED", "APPLICATION_FAILED"}
USER = {"username": "local", "name": "Local User", "email": "local@localhost"}

JOB_FLAGS = (
    "kill_on_timeout",
    "retry_enabled",
    "retry_for_script_failure",
    "retry_for_system_failure",
    "retry_for_timedout_runs",
    "retry_for_skipped_runs",
)
JOB_NUMBERS = ("nvidia_gpu", "run_as", "max_retry", "retry_delay", "resource_group_id", "resource_profile_id")
JOB_STRINGS = (
    "name",
    "script",
    "arguments",
    "schedule",
    "kernel",
    "runtime_identifier",
    "success_recipients",
    "failure_recipients",
    "timeout_recipients",
    "stopped_recipients",
)
DEFAULT_TIMEZONE = "America/Los_Angeles"


def now() -> str:
    """This moment as the API writes it."""
    return written(datetime.now(timezone.utc))


def written(moment: datetime) -> str:
    """A moment as the API writes it."""
    return moment.astimezone(timezone.utc).strftime(TIME_FORMAT)


def read(text: str) -> datetime:
    """A moment that the API wrote."""
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=timezone.utc)


def seconds_since(moment: str | None) -> float:
    """How long ago a moment was that ``now`` wrote."""
    if moment is None:
        return 0.0
    return (datetime.now(timezone.utc) - read(moment)).total_seconds()


def environment_text(environment: Mapping[str, str]) -> str:
    """An environment as answers carry it; an empty one is an empty string."""
    return json.dumps(dict(environment)) if environment else ""


def environment_of(shown: Mapping[str, Any]) -> dict[str, str]:
    """The environment of something shown."""
    text = shown.get("environment") or "{}"
    return {str(key): str(value) for key, value in json.loads(text).items()}


def project(identifier: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A Project."""
    name = body["name"]
    moment = now()
    return {
        "id": identifier,
        "name": name,
        "owner": dict(USER),
        "creator": dict(USER),
        "description": body.get("description") or "",
        "visibility": body.get("visibility") or "private",
        "default_engine_type": body.get("default_project_engine_type") or "ml_runtime",
        "created_at": moment,
        "updated_at": moment,
        "creation_status": "creating",
        "permissions": {
            "read": True,
            "write": True,
            "admin": True,
            "business_user": True,
            "operator": True,
            "inherit": False,
        },
        "shared_memory_limit": body.get("shared_memory_limit") or 64,
        "environment": environment_text(body.get("environment") or {}),
        "ephemeral_storage_request": 0,
        "ephemeral_storage_limit": 0,
        "slug": f"{USER['username']}/" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"),
    }


def job(identifier: str, body: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    """A Job of the project ``parent``."""
    moment = now()
    shown: dict[str, Any] = {"id": identifier, "created_at": moment, "updated_at": moment}
    shown |= {name: body.get(name) or "" for name in JOB_STRINGS}
    shown |= {name: body.get(name) or 0 for name in JOB_NUMBERS}
    shown |= {name: bool(body.get(name)) for name in JOB_FLAGS}
    shown |= {
        "cpu": body.get("cpu") or 1,
        "memory": body.get("memory") or 1,
        "creator": dict(USER),
        "owner": dict(USER),
        "engine_image_id": "0",
        "english_schedule": cron.in_words(body.get("schedule") or ""),
        "parent_id": body.get("parent_id") or body.get("parent_job_id") or "",
        "paused": bool(body.get("paused")),
        "timeout": str(body.get("timeout") or 0),
        "timezone": body.get("timezone") or DEFAULT_TIMEZONE,
        "environment": environment_text(body.get("environment") or {}),
        "runtime_addon_identifiers": list(body.get("runtime_addon_identifiers") or []),
        "project": {
            "public_identifier": parent["id"],
            "name": parent["name"],
            "default_project_engine": parent["default_engine_type"],
            "slug": parent["slug"],
        },
        "accelerator_label_id": str(body.get("accelerator_label_id") or 0),
        "recipients": [
            {"email": each.get("email", ""), **{name: each.get(name, False) for name in rules.RECIPIENT_FLAGS}}
            for each in body.get("recipients") or []
        ],
        "attachments": list(body.get("attachments") or []),
    }
    shown["type"] = job_type(shown)
    return shown


def usage(kind: str, record: Mapping[str, Any], project_shown: Mapping[str, Any], extra: Mapping[str, Any]) -> Any:
    """A UsageResponse for an application or a run; ``extra`` is what these do not show themselves."""
    end = record.get("finished_at") or (record.get("stopped_at") if record["status"] in _STOPPED else None)
    begun = record["running_at"]
    lasted = (read(end) - read(begun)).total_seconds() if begun and end else seconds_since(begun)
    who = {"id": 1, "html_url": "", "url": "", "name": USER["name"], "user_name": USER["username"]}
    project_url = f"/{project_shown['slug']}"
    code = extra.get("exit_code")
    return {
        "name": extra["name"],
        "creator": USER["username"],
        "group": "",
        "project_name": project_shown["name"],
        "cpu": record["cpu"],
        "memory": record["memory"],
        "nvidia_gpu": record["nvidia_gpu"],
        "workload_type": kind,
        "created_at": record["created_at"],
        "duration": str(max(0, int(lasted))),
        "status": record["status"].partition("_")[2].capitalize(),
        "creator_info": who,
        "group_info": {"id": 0, "html_url": "", "url": "", "name": "", "user_name": ""},
        "project_info": {
            "id": extra.get("project_number", 0),
            "slug": project_shown["slug"],
            "html_url": project_url,
            "url": project_url,
        },
        "id": record["id"],
        "workload_url": extra.get("url", ""),
        "message": "",
        "oom_killed": False,
        "k8s_info": {
            "k8s_exit_code": code or 0,
            "k8s_signal": str(code - 128) if code and code > 128 else "",
            "k8s_reason": "" if code is None else "Completed" if code == 0 else "Error",
            "k8s_message": "",
        },
    }


def job_type(shown: Mapping[str, Any]) -> str:
    """manual, cron or dependent: what starts the job follows from its fields."""
    return "dependent" if shown["parent_id"] else "cron" if shown["schedule"] else "manual"


def job_run(identifier: str, body: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    """A JobRun of the job ``parent``, whose sizes it freezes."""
    moment = now()
    return {
        "project_id": parent["project"]["public_identifier"],
        "job_id": parent["id"],
        "status": "ENGINE_SCHEDULING",
        "id": identifier,
        "created_at": moment,
        "scheduling_at": moment,
        "starting_at": None,
        "running_at": None,
        "finished_at": None,
        **{name: parent[name] for name in ("kernel", "cpu", "memory", "nvidia_gpu", "runtime_identifier")},
        "arguments": body.get("arguments") or parent["arguments"],
        "environment": environment_text(body.get("environment") or {}),
        "creator": dict(USER),
        "resource_group_id": parent["resource_group_id"],
    }


def application(identifier: str, body: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """An Application with its whole ``environment`` (the project's variables are in it already)."""
    moment = now()
    shown: dict[str, Any] = {"id": identifier, "creator": dict(USER), "status": "APPLICATION_STARTING"}
    shown |= {
        name: body.get(name) or ""
        for name in ("name", "description", "script", "subdomain", "kernel", "runtime_identifier")
    }
    shown |= {
        name: body.get(name) or 0 for name in ("nvidia_gpu", "run_as", "resource_group_id", "resource_profile_id")
    }
    shown |= {"created_at": moment, "updated_at": moment, "starting_at": moment}
    shown |= {"running_at": None, "stopped_at": None}
    shown |= {
        "cpu": body.get("cpu") or 1,
        "memory": body.get("memory") or 1,
        "bypass_authentication": bool(body.get("bypass_authentication")),
        "cdv_app": bool(body.get("cdv_app")),
        "environment": environment_text(environment),
        "runtime_addon_identifiers": list(body.get("runtime_addon_identifiers") or []),
        "accelerator_label_id": str(body.get("accelerator_label_id") or 0),
    }
    return shown
