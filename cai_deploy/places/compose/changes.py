"""Making, starting anew and removing the containers of nodes.

Compose is asked for a number of containers of one service, never for one of them, so only one of those who ask for a
service is let through at a time: the first makes all that are missing, the others find nothing to do. A container that
is to be made from something else is removed, and Compose makes another one in its place, with the next number.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from cai_deploy.places.compose.engine import Engine
from cai_deploy.places.compose.file import GRACE
from cai_deploy.state import Request, Step

SCALE = "--scale"


class ContainerChanges:
    """The changes of one run. ``cluster`` and ``owner`` say whose containers are counted."""

    def __init__(self, engine: Engine, owner: str) -> None:
        self._engine = engine
        self._owner = owner
        self._one_at_a_time = threading.Lock()

    def apply(self, step: Step, cluster: str, stop_seconds: float) -> None:
        """Carry out a step on a node. Raises what the engine does."""
        patience = math.ceil(stop_seconds) + GRACE
        if step.action == "create":
            self._make(step.request or {}, cluster)
        elif step.action == "restart" and not step.request:
            self._engine.restart(step.native_id, patience)
        else:
            self._engine.stop(step.native_id, patience)
            if step.action == "restart":
                self._make(step.request or {}, cluster, at_least_one=True)

    def _make(self, request: Request, cluster: str, *, at_least_one: bool = False) -> None:
        service = request["service"]
        with self._one_at_a_time:
            there = sum(each.mark.group == service for each in self._engine.containers(cluster, self._owner))
            argv = for_at_least(request["compose"], service, there + at_least_one)
            self._engine.compose(argv, request["seconds"], f"the containers of {service} cannot be made")


def for_at_least(argv: Sequence[str], service: str, count: int) -> list[str]:
    """``argv`` for as many containers as it says, or ``count`` if that is more: none goes that we did not end."""
    words = list(argv)
    at = words.index(SCALE) + 1
    asked = int(words[at].rpartition("=")[2])
    words[at] = f"{service}={max(asked, count)}"
    return words
