"""An application's settings in one form, whether they are what we would send or what the workspace returned.

The platform returns more than was sent (it copies project variables into an application), so only what we want is
compared. Numbers are compared as numbers, as it may answer ``2`` for ``2.0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cai_deploy.api.schemas import Application

IN_PLACE = frozenset({"description"})
"""What the platform shows and does not hand to the pod; everything else reaches a pod at its next start only."""


def wanted_facts(body: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """The settings in a request's ``body``, and the variables that the specification asks for."""
    return {
        "script": body["script"],
        "cpu": float(body["cpu"]),
        "memory_gb": float(body["memory"]),
        "gpu": int(body["nvidia_gpu"]),
        "runtime": body["runtime_identifier"],
        "public": bool(body["bypass_authentication"]),
        "description": body["description"],
        **{f"env.{name}": value for name, value in env.items()},
    }


def actual_facts(application: Application) -> dict[str, Any]:
    """The settings of an application as the workspace returns it, with every variable that it has."""
    return {
        "script": application.script,
        "cpu": float(application.cpu),
        "memory_gb": float(application.memory),
        "gpu": int(application.nvidia_gpu),
        "runtime": application.runtime_identifier,
        "public": application.bypass_authentication,
        "description": application.description,
        **{f"env.{name}": value for name, value in application.environment.items()},
    }
