"""What a PATCH does to a project, a job or an application, with the habits of the real service. Pure.

A PATCH body is the object as shown, in part: environments and job time-outs arrive as JSON text and decimal text.
Fields that cannot be changed are ignored with a 200, which is what makes clients compare answers with requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from cai_deploy.local_workspace import records, rules

_PROJECT: dict[str, rules.JsonType] = {
    "name": str,
    "description": str,
    "visibility": str,
    "default_engine_type": str,
    "shared_memory_limit": int,
    "ephemeral_storage_request": int,
    "ephemeral_storage_limit": int,
}
_SIZES: dict[str, rules.JsonType] = {"cpu": (int, float), "memory": (int, float), "nvidia_gpu": int}
_APPLICATION: dict[str, rules.JsonType] = {
    "name": str,
    "description": str,
    "script": str,
    "kernel": str,
    "bypass_authentication": bool,
    "runtime_identifier": str,
    "runtime_addon_identifiers": list,
    "accelerator_label_id": str,
    "run_as": int,
    "resource_group_id": int,
    "resource_profile_id": int,
    **_SIZES,
}
# Not here, and so accepted and ignored: paused, timezone, recipients and the *_recipients strings.
_JOB: dict[str, rules.JsonType] = {
    "name": str,
    "script": str,
    "arguments": str,
    "schedule": str,
    "parent_id": str,
    "timeout": str,
    "kernel": str,
    "attachments": list,
    "runtime_identifier": str,
    "runtime_addon_identifiers": list,
    "accelerator_label_id": str,
    **dict.fromkeys(records.JOB_FLAGS, bool),
    **dict.fromkeys(records.JOB_NUMBERS, int),
    **_SIZES,
}


def project(shown: dict[str, Any], body: Mapping[str, Any]) -> None:
    """Change a project as shown; its environment is replaced as a whole."""
    _apply(shown, body, _PROJECT)


def application(shown: dict[str, Any], body: Mapping[str, Any]) -> None:
    """Change an application as shown. A running one goes on as it is until it is restarted."""
    _apply(shown, body, _APPLICATION)


def job(shown: dict[str, Any], body: Mapping[str, Any], default_addons: list[str]) -> None:
    """Change a job as shown."""
    if body.get("runtime_addon_identifiers") is not None and not body.get("runtime_identifier"):
        raise rules.Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "failed to fetch existing runtime for job")
    timeout = body.get("timeout")
    if isinstance(timeout, str) and timeout and not timeout.isdecimal():
        raise rules.bad_request("Problem with field timeout: a decimal string is expected")
    _apply(shown, body, _JOB)
    if body.get("runtime_identifier"):
        shown["runtime_addon_identifiers"] = list(body.get("runtime_addon_identifiers") or default_addons)
    shown["timeout"] = shown["timeout"] or "0"
    rules.check_schedule(shown)
    shown["type"] = records.job_type(shown)


def _apply(shown: dict[str, Any], body: Mapping[str, Any], changeable: Mapping[str, rules.JsonType]) -> None:
    rules.check_types(body, changeable)
    environment = _environment(body)
    shown.update({name: body[name] for name in changeable if body.get(name) is not None})
    if environment is not None:
        shown["environment"] = records.environment_text(environment)
    shown["updated_at"] = records.now()


def _environment(body: Mapping[str, Any]) -> dict[str, str] | None:
    """The new environment, or None for no change: an empty text changes nothing, ``"{}"`` clears."""
    text = body.get("environment")
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        kind = "object" if isinstance(text, dict) else "array" if isinstance(text, list) else "number"
        raise rules.bad_request(f"cannot unmarshal {kind} into Go value of type string")
    try:
        environment = json.loads(text)
    except ValueError:
        environment = None
    if not isinstance(environment, dict):
        raise rules.bad_request("Problem with field environment: JSON text of an object is expected")
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in environment.items()}
