"""What all nodes of one group share, wherever they run, and the digest of all that makes such a node what it is.

The digest leaves out a node's own name and the number of its siblings, so that scaling never restarts anybody. No place
is known here: each adds what it gives to its nodes besides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cai_deploy.node_settings import NodeSettings
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.render import Launcher
from cai_deploy.spec import HeadGroup, WorkerGroup


@dataclass(frozen=True)
class NodePlan:
    """One group's nodes. ``launcher`` is None for a person's own script, and for an inline command."""

    group: HeadGroup | WorkerGroup
    settings: NodeSettings
    launcher: Launcher | None

    @property
    def program(self) -> str:
        """What a node runs, as a path below the directory that it has; "" where that is an inline command."""
        return self.launcher.path if self.launcher else self.group.script or ""

    @cached_property
    def shape(self) -> dict[str, Any]:
        """How large each node is, in the words of its place."""
        return {"cpu": self.group.cpu, "memory": self.group.memory_gb, "gpu": self.group.gpu}

    @property
    def given(self) -> dict[str, Any]:
        """What the place gives to each node, under names of its own."""
        return {"shape": self.shape}

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all that makes a node what it is."""
        made_from = {
            **self.given,
            "env": self.group.env,
            "script": self.group.script,
            "launcher": self.launcher.fingerprint if self.launcher else None,
            "settings": self.settings.to_json(),
        }
        return fingerprint(json.dumps(made_from, sort_keys=True))
