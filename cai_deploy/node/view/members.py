"""The cluster's nodes, as the head answers for them to observers outside: their state, and whether they have work.

Whether a node is idle is Ray's own account, which reaches the GCS within a second (measured on Ray 2.60: 0.1 to 0.9 s
for a task that begins, 0.1 s for one that ends). Busy is a node with a running task or actor, also one that needs no
CPU; with a reservation of a placement group; or with objects in its store that somebody still refers to. A driver on
the node is no work, and a worker process that waits for tasks is none either.

The account's list of reasons is not used: it is not cleared when the node falls idle.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import asdict, replace
from typing import Any

from cai_deploy.connection import ConnectionInfo
from cai_deploy.node.gcs import Gcs, GcsAway, RayNode

BUSY = {"IDLE": False, "ACTIVE": True, "DRAINING": True}
"""A draining node that falls idle is gone at once, so one that is still there has work."""


class MemberList:
    """The nodes that ``gcs`` knows, of the head that ``info`` announces."""

    def __init__(self, gcs: Gcs, info: ConnectionInfo) -> None:
        self._gcs = gcs
        self._info = info

    def describe(self) -> dict[str, Any]:
        """What ``/cai-deploy/nodes`` answers; no nodes and no connection while there is no GCS to ask."""
        try:
            nodes, drains = self._gcs.nodes(), self._gcs.drains()
        except GcsAway:
            return {"epoch": self._info.epoch, "connection": None, "nodes": []}
        return {
            "epoch": self._info.epoch,
            "connection": asdict(self._info),
            "nodes": [described(self._known_today(node), drains) for node in nodes],
        }

    def _known_today(self, node: RayNode) -> RayNode:
        """The node; a head before us as dead, which the store that it left still takes for alive for some seconds."""
        return replace(node, state="DEAD") if node.is_head_before(self._info.node_address) else node


def described(node: RayNode, drains: Set[bytes]) -> dict[str, Any]:
    """One node; ``drains`` are those that were asked to drain."""
    return {
        "name": node.name,
        "address": node.address,
        "state": state_of(node, drains),
        "idle": idle(node),
        "is_head": node.is_head,
        "labels": dict(node.labels),
        "resources": dict(node.resources),
    }


def state_of(node: RayNode, drains: Set[bytes]) -> str:
    """ALIVE, DRAINING, DRAINED or DEAD; UNKNOWN for a state that Ray has not had so far.

    DRAINED is a node that ended after it was asked to drain, however it went in the end: nobody expects it back. A node
    that its own SIGTERM drained is DEAD, as nobody asked for that here.
    """
    if node.state == "DEAD":
        return "DRAINED" if node.id in drains else "DEAD"
    if node.id in drains or node.activity == "DRAINING":
        return "DRAINING"
    return node.state or "UNKNOWN"


def idle(node: RayNode) -> bool | None:
    """Whether the node has no work; None when it is not known: at its very start, and for one that is gone."""
    busy = BUSY.get(node.activity)
    return None if node.state != "ALIVE" or busy is None else not busy
