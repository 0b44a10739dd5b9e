"""How a cluster may change: how many nodes at a time, and how long each stage may take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from cai_deploy.spec.part import Count, Part, Seconds

Portion = Count | Annotated[str, StringConstraints(pattern=r"^(100|\d{1,2})%$")]


class Update(Part):
    """How workers are exchanged when their settings change: so many at a time, after their work is done.

    ``max_unavailable`` and ``max_surge`` are counts, or shares of a group's replicas (``"25%"``); ``drain`` is how long
    (seconds) a worker may take to finish its work before it is stopped all the same.
    """

    max_unavailable: Portion = "25%"
    max_surge: Portion = 0
    drain: Annotated[float, Field(ge=0, le=86_400)] = 60

    def unavailable_of(self, replicas: int) -> int:
        """How many of ``replicas`` may be down; at least one unless more than wanted may run, or nothing could move."""
        return max(_portion(self.max_unavailable, replicas), 0 if self.surge_of(replicas) else 1)

    def surge_of(self, replicas: int) -> int:
        """How many more than ``replicas`` may run."""
        return _portion(self.max_surge, replicas)


def _portion(portion: int | str, of: int) -> int:
    return int(portion.rstrip("%")) * of // 100 if isinstance(portion, str) else portion


class Timeouts(Part):
    """How long each stage may take, in seconds."""

    project: Seconds = 600
    setup: Seconds = 1800
    launch: Seconds = 900
    join: Seconds = 300
    stop: Seconds = 30
