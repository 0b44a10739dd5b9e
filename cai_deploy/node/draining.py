"""Draining: a node takes no new work, ends what it has, and goes; when the deadline comes before, Ray ends there.

What Ray does by itself was measured on Ray 2.60:

- An idle node is DEAD for the GCS within 0.1 s, and its raylet ends half a second later with status 0. A busy one goes
  the same way as soon as its last task, actor and object are gone.
- New work is refused at once: a task that only this node could run waits, one bound to it fails as unschedulable. So is
  a task whose worker process is still starting, although the node counts as busy by then.
- The deadline ends nothing. A busy node was still there 14 s after its own, and went when its task had ended. So the
  head ends it here; its work then fails as that of a node that died.
- The first request counts: Ray keeps its deadline and its reason, and accepts later ones without effect. It also
  accepts to drain the head, whose raylet goes too, and nodes that do not exist; so all of that is looked at here.
- ``ray start --block`` stays when its raylet has gone this way. There is no way back from draining.

That a node was drained stands nowhere in Ray for certain: one that is ended at its deadline has the death reason
EXPECTED_TERMINATION, like any other that the GCS ended, and one that got a SIGTERM has the reason of a drained one. So
each request is noted in the GCS's own store under the node's id, which a node that is started again does not share. The
head reads it for observers. A worker's agent reads it too, at the one address that it surely reaches, as it joined
there; the head's HTTP port may be closed to it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from cai_deploy.node.gcs import Gcs, RayNode
from cai_deploy.node.web.body import Body, Refused

USUAL_DEADLINE = 60.0
LONGEST_DEADLINE = 24 * 3600.0


class Drains:
    """Asks nodes of the GCS to drain, and ends those that outlive their deadline. ``tell`` hears of both."""

    def __init__(self, gcs: Gcs, tell: Callable[[str], None]) -> None:
        self._gcs = gcs
        self._tell = tell
        self._lock = threading.Lock()
        self._timers: dict[bytes, threading.Timer] = {}

    def ask(self, data: Any) -> dict[str, Any]:
        """What ``POST /cai-deploy/drain`` answers. Raises Refused for a body that is none and for an unknown node."""
        body = Body(data)
        name = body.text("node")
        seconds = body.number("deadline_seconds", USUAL_DEADLINE, LONGEST_DEADLINE)
        reason = body.text("reason", "asked for at the head")
        with self._lock:
            node = newest(self._gcs.nodes(), name)
            if node is None:
                raise Refused(HTTPStatus.NOT_FOUND, f"no node {name} has joined")
            if node.is_head:
                return _refused("the head is not drained: the cluster ends with it")
            return self._ask(node, time.time() + seconds, reason)

    def resume(self) -> None:
        """Know again of what was asked of an earlier head. Raises what Gcs raises."""
        with self._lock:
            asked = self._gcs.drains()
            for node in self._gcs.nodes():
                if node.state == "ALIVE" and node.id in asked:
                    self._end_at(self._gcs.drain_deadline(node.id) or 0.0, node)

    def _ask(self, node: RayNode, deadline: float, reason: str) -> dict[str, Any]:
        before = self._gcs.drain_deadline(node.id)
        if node.state == "DEAD":
            return _refused(f"{node.name} is dead already") if before is None else {"accepted": True}
        # Asked again, it may only come sooner: who repeats the request until the node is gone would never see it go.
        deadline = min(deadline, before if before is not None else deadline)
        # Noted first, as an idle node is gone before the answer to the request has come back.
        self._gcs.note_drain(node.id, deadline)
        accepted, why = self._gcs.drain(node.id, reason, deadline)
        if not accepted:
            self._gcs.forget_drain(node.id)
            return _refused(why)
        if before is None:
            self._tell(f"{node.name} drains, until {deadline - time.time():.0f} s from now at most: {reason}")
        self._end_at(deadline, node)
        return {"accepted": True}

    def _end_at(self, deadline: float, node: RayNode) -> None:
        if timer := self._timers.pop(node.id, None):
            timer.cancel()
        timer = threading.Timer(max(deadline - time.time(), 0), self._end, [node])
        timer.daemon = True
        self._timers[node.id] = timer
        timer.start()

    def _end(self, node: RayNode) -> None:
        try:
            if any(other.id == node.id and other.state == "ALIVE" for other in self._gcs.nodes()):
                self._tell(f"{node.name} still had work when its time to drain was over: it is ended")
                self._gcs.end(node.id)
        except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            self._tell(f"{node.name} was not ended when its time to drain was over: {error}")


def was_drained(gcs: Gcs, name: str, since: float = 0.0) -> bool:
    """Whether the last start of the node called ``name`` was asked to drain. Raises what Gcs raises.

    A start before ``since`` (seconds since 1970, by the node's own clock, as that of ``started`` is) does not count:
    a Ray that never came up has not been drained, though the one before it may have been.
    """
    node = newest(gcs.nodes(), name)
    return node is not None and node.started >= since * 1000 and gcs.drain_deadline(node.id) is not None


def newest(nodes: list[RayNode], name: str) -> RayNode | None:
    """The start of the node called ``name`` that is ALIVE, else the last one, as ``nodes`` come by their starts.

    Those are by the nodes' own clocks: where one was ahead and is right again, the start that counts is not the last.
    """
    found = sorted((node for node in nodes if node.name == name), key=lambda node: node.state == "ALIVE")
    return found[-1] if found else None


def _refused(why: str) -> dict[str, Any]:
    return {"accepted": False, "why": why}
