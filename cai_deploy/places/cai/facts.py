"""An application's settings in one form, whether they are what we would send or what the workspace returned.

The platform returns more than was sent (it copies project variables into an application), so only what we want is
compared. Numbers are compared as numbers, as it may answer ``2`` for ``2.0``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from cai_deploy.api.schemas import Application

IN_PLACE = frozenset({"name", "description"})
"""What the platform shows and does not hand to the pod; everything else reaches a pod at its next start only."""

VARIABLE = "env."

ENVIRONMENT = "CAI_DEPLOY_ENVIRONMENT"
"""The variable by which a launcher knows its virtual environment: each node switches by itself, at its own restart."""

PROGRAM = "CAI_DEPLOY_PROGRAM"
"""The same of the program that it runs; none where no launcher of ours starts it."""


def wanted_facts(body: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """The settings in a request's ``body``, and the variables that the specification asks for."""
    return {
        "name": body["name"],
        "script": body["script"],
        "cpu": float(body["cpu"]),
        "memory_gb": float(body["memory"]),
        "gpu": int(body["nvidia_gpu"]),
        "runtime": body["runtime_identifier"],
        "public": bool(body["bypass_authentication"]),
        "description": body["description"],
        "environment": body["environment"][ENVIRONMENT],
        "program": body["environment"].get(PROGRAM, ""),
        **_named(env),
    }


def variables(facts: Mapping[str, Any]) -> dict[str, str]:
    """The variables among ``facts``."""
    return {name.removeprefix(VARIABLE): str(value) for name, value in facts.items() if name.startswith(VARIABLE)}


def actual_facts(application: Application) -> dict[str, Any]:
    """The settings of an application as the workspace returns it, with every variable that it has."""
    return {
        "name": application.name,
        "script": application.script,
        "cpu": float(application.cpu),
        "memory_gb": float(application.memory),
        "gpu": int(application.nvidia_gpu),
        "runtime": application.runtime_identifier,
        "public": application.bypass_authentication,
        "description": application.description,
        "environment": application.environment.get(ENVIRONMENT, ""),
        "program": application.environment.get(PROGRAM, ""),
        **_named(application.environment),
    }


def _named(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` as facts. A thousand nodes have the same names, which are kept once."""
    return {sys.intern(f"{VARIABLE}{name}"): value for name, value in environment.items()}
