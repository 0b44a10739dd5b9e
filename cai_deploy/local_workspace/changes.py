"""What a PATCH does to a project, a job or an application, with the habits of the real service. Pure.

A PATCH body is the object as shown, in part: environments and job time-outs arrive as JSON text and decimal text.
Fields that cannot be changed are ignored with a 200, which is what makes clients compare answers with requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from cai_deploy.local_workspace import cron, records, rules

_PROJECT: dict[str, rules.Kind] = {
    "name": rules.text,
    "description": rules.text,
    "visibility": rules.text,
    "default_engine_type": rules.text,
    "shared_memory_limit": rules.count,
    "ephemeral_storage_request": rules.count,
    "ephemeral_storage_limit": rules.count,
}
_SIZES: dict[str, rules.Kind] = {"cpu": rules.amount, "memory": rules.amount, "nvidia_gpu": rules.count}
_APPLICATION: dict[str, rules.Kind] = {
    "name": rules.text,
    "description": rules.text,
    "script": rules.text,
    "kernel": rules.text,
    "bypass_authentication": rules.flag,
    "runtime_identifier": rules.text,
    "runtime_addon_identifiers": rules.texts,
    "accelerator_label_id": rules.decimal,
    "run_as": rules.integer,
    "resource_group_id": rules.integer,
    "resource_profile_id": rules.integer,
    **_SIZES,
}
# Not here, and so accepted and ignored: paused, timezone, recipients and the *_recipients strings.
_JOB: dict[str, rules.Kind] = {
    "name": rules.text,
    "script": rules.text,
    "arguments": rules.text,
    "schedule": rules.text,
    "parent_id": rules.text,
    "timeout": rules.decimal,
    "kernel": rules.text,
    "attachments": rules.texts,
    "runtime_identifier": rules.text,
    "runtime_addon_identifiers": rules.texts,
    "accelerator_label_id": rules.decimal,
    **dict.fromkeys(records.JOB_FLAGS, rules.flag),
    **dict.fromkeys(records.JOB_NUMBERS, rules.integer),
    **_SIZES,
    "max_retry": rules.count,
    "retry_delay": rules.count,
}
_NOT_EMPTIED = ("name", "script", "cpu", "memory")


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
    _apply(shown, body, _JOB)
    if body.get("runtime_identifier"):
        shown["runtime_addon_identifiers"] = list(body.get("runtime_addon_identifiers") or default_addons)
    shown["timeout"] = shown["timeout"] or "0"
    rules.check_schedule(shown)
    cron.check(shown["schedule"], shown["timezone"])
    shown["english_schedule"] = cron.in_words(shown["schedule"])
    shown["type"] = records.job_type(shown)


def _apply(shown: dict[str, Any], body: Mapping[str, Any], changeable: Mapping[str, rules.Kind]) -> None:
    rules.check_types(body, changeable)
    environment = _environment(body)
    kept = {name for name in _NOT_EMPTIED if not body.get(name)}
    shown.update({name: body[name] for name in changeable if body.get(name) is not None and name not in kept})
    if shown.get("accelerator_label_id") == "":
        shown["accelerator_label_id"] = "0"
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
    except (ValueError, RecursionError):
        environment = None
    if not isinstance(environment, dict):
        raise rules.bad_request("Problem with field environment: JSON text of an object is expected")
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in environment.items()}
