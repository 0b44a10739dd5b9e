"""What may be tuned about a workspace: how long transitions take, what a user may use, how applications come back.

Read from ``<home>/settings.json``, then from the environment (CAI_DEPLOY_WORKSPACE_SETTINGS, the same JSON in part);
changed while the workspace runs by PATCH /local/v1/settings, which writes the file. Values in, values out: nothing in
here waits or counts.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cai_deploy.errors import ConfigError

VARIABLE = "CAI_DEPLOY_WORKSPACE_SETTINGS"
NOW = "now"
KERNELS = ("auto", "engine", "ipython")

# Each transition that takes time in a real workspace, and what it goes on from.
TRANSITIONS = {
    "project-created": "a project that is being created becomes success (or failure)",
    "run-starting": "a run leaves SCHEDULING",
    "run-running": "a run leaves STARTING; its pod starts",
    "run-stopped": "a run leaves STOPPING",
    "application-starting": "the pod of an application in STARTING starts",
    "application-running": "an application that answers leaves STARTING",
    "application-stopped": "an application leaves STOPPING",
}
AMOUNTS = ("cpu", "memory", "gpu")


@dataclass(frozen=True)
class Delay:
    """How long something stays as it is: until so many looks at it, until some seconds have passed, or for ever."""

    looks: int = 0
    seconds: float = 0.0

    @classmethod
    def parse(cls, text: object) -> Delay:
        """``now``, ``3 looks``, ``2.5 seconds`` or ``never``; ValueError for anything else."""
        if text == NOW:
            return cls()
        if text == "never":
            return cls(seconds=math.inf)
        if isinstance(text, str):
            if match := re.fullmatch(r"([0-9]{1,6}) looks?", text):
                return cls(looks=int(match[1]))
            if match := re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) seconds?", text):
                return cls(seconds=float(match[1]))
        raise ValueError(f"{text!r} is no delay: use 'now', '3 looks', '2.5 seconds' or 'never'")


@dataclass(frozen=True)
class Settings:
    """Every tunable, with what a workspace has when nobody says anything."""

    stop_grace: float = 10.0
    delays: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(TRANSITIONS, NOW))
    quota: Mapping[str, float | None] = field(default_factory=lambda: dict.fromkeys(AMOUNTS))
    restart_attempts: int = 3
    restart_pause: float = 300.0
    kernel: str = "engine"
    put_upload: bool = False
    gpus: int = 0

    def delay(self, transition: str) -> Delay:
        """How long a transition takes."""
        return Delay.parse(self.delays[transition])

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def changed(self, change: object) -> Settings:
        """With the values in ``change`` instead; ValueError for what cannot be."""
        if not isinstance(change, dict):
            raise ValueError("settings are a JSON object")  # noqa: TRY004 - one error for every bad value
        values = dict(change)
        for name, value in values.items():
            if name not in _CHECKS:
                raise ValueError(f"there is no setting '{name}'; there are: {', '.join(_CHECKS)}")
            if not _CHECKS[name](value):
                raise ValueError(f"setting '{name}': {value!r} is not allowed")
        for transition, text in values.get("delays", {}).items():
            if transition not in TRANSITIONS:
                raise ValueError(f"there is no transition '{transition}'; there are: {', '.join(TRANSITIONS)}")
            Delay.parse(text)
        for name in ("delays", "quota"):  # both are changed entry by entry
            if name in values:
                values[name] = {**getattr(self, name), **values[name]}
        return replace(self, **values)


def _seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


_CHECKS = {
    "stop_grace": _seconds,
    "delays": lambda value: isinstance(value, dict),
    "quota": lambda value: (
        isinstance(value, dict)
        and all(name in AMOUNTS and (limit is None or _seconds(limit)) for name, limit in value.items())
    ),
    "restart_attempts": _count,
    "restart_pause": _seconds,
    "kernel": lambda value: value in KERNELS,
    "put_upload": lambda value: isinstance(value, bool),
    "gpus": _count,
}


def load(file: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that a workspace starts with."""
    settings = Settings()
    texts = {str(file): file.read_text(encoding="utf-8") if file.exists() else "", VARIABLE: environment.get(VARIABLE)}
    for source, text in texts.items():
        if text:
            try:
                settings = settings.changed(json.loads(text))
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"{source}: {error}", next_step="correct or remove it") from None
    return settings
