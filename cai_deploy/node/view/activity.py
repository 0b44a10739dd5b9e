"""Whether the cluster has work, as the head tells it to who may put it to sleep.

The head looks by itself, so that it knows since when there is none although nobody asked. Work is a submitted job that
has not ended, a connected driver, an actor that lives, something that waits for resources, a node that Ray calls
active, or an answer of Serve since the last look. A look that fails counts as work too: nobody can say that there was
none. A head that is started again begins to count anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from cai_deploy.node.gcs import Actor, Gcs, RayNode
from cai_deploy.node.view.serve_traffic import ServeTraffic
from cai_deploy.node.view.standing import RAYS_OWN, only_stands

LOOK_EVERY = 15.0

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Activity:
    """What the cluster of ``gcs`` does. ``now`` is the time in UTC."""

    def __init__(self, gcs: Gcs, traffic: ServeTraffic | None = None, now: Callable[[], datetime] = _now) -> None:
        self._gcs = gcs
        self._traffic = traffic or ServeTraffic()
        self._now = now
        self._lock = threading.Lock()
        self._busy: list[str] = ["nobody has looked yet"]
        self._idle_since: datetime | None = None

    def begin(self) -> None:
        """Look from now on, in a thread of its own."""
        threading.Thread(target=self._look_on, daemon=True, name="activity").start()

    def describe(self) -> dict[str, Any]:
        """What ``/cai-deploy/activity`` answers, after a look of now."""
        with self._lock:
            self._look()
            since = self._idle_since
            return {
                "busy": list(self._busy),
                "idle_since": since.isoformat() if since else None,
                "now": self._now().isoformat(),
            }

    def _look_on(self) -> None:
        while True:
            with self._lock:
                self._look()
            threading.Event().wait(LOOK_EVERY)

    def _look(self) -> None:
        try:
            self._busy = list(self._work())
        except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            self._busy = [f"it cannot be seen what the cluster does: {type(error).__name__}: {error}"]
        self._idle_since = None if self._busy else self._idle_since or self._now()

    def _work(self) -> Iterator[str]:
        nodes, actors = self._gcs.nodes(), self._gcs.actors()
        # First, so that it counts from look to look whatever else there is.
        serves = self._traffic.look(nodes, actors)
        for submission, status in sorted(self._gcs.submissions().items()):
            if status not in ENDED:
                yield f"job {submission} is {status.lower() or 'in an unknown state'}"
        for driver in self._gcs.drivers():
            if not driver.namespace.startswith(RAYS_OWN):
                # Its command line would tell more, and may hold secrets.
                yield f"driver {driver.id} is connected{f' for job {driver.submission}' if driver.submission else ''}"
        yield from (_actor(actor) for actor in actors if not only_stands(actor))
        if waiting := self._gcs.waiting():
            yield f"{waiting} tasks or actors wait for resources"
        yield from serves
        yield from _active(nodes, actors)


def _actor(actor: Actor) -> str:
    return f"actor {actor.class_name}{f' ({actor.name})' if actor.name else ''} lives"


def _active(nodes: list[RayNode], actors: list[Actor]) -> Iterator[str]:
    """Nodes at work. One with an actor that only stands there is always active for Ray, which says nothing then."""
    always = {actor.node for actor in actors if only_stands(actor)}
    for node in nodes:
        if node.state == "ALIVE" and node.activity != "IDLE" and node.id not in always:
            yield f"node {node.name} is {node.activity.lower() or 'in an unknown state'}"
