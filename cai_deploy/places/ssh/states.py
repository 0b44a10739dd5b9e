"""From what a host's record says of a node to one of our states, and why. Pure."""

from __future__ import annotations

from cai_deploy.places.ssh.records import Record
from cai_deploy.state import NodeState

NOT_RUN = 127
RESTARTED = "its host was started anew"
VANISHED = "its process is gone, and nobody knows how it ended"


def state_of(record: Record) -> tuple[NodeState, str]:
    """The state, and the reason where it is not simply running."""
    if record.lives:
        return _alive(record)
    if record.ended is not None:
        return NodeState.FAILED, _how_it_ended(record)
    return NodeState.FAILED, VANISHED if record.same_boot else RESTARTED


def _alive(record: Record) -> tuple[NodeState, str]:
    if record.ended is not None or record.stopping:
        return NodeState.STOPPING, "it was told to end, and is ending"
    if not record.launched:
        return NodeState.STARTING, "it waits for what ran there before"
    return NodeState.RUNNING, ""


def _how_it_ended(record: Record) -> str:
    ended = record.ended or {}
    status = ended.get("status")
    if status == NOT_RUN and ended.get("why"):
        return f"its launcher cannot be run: {ended['why']}"
    return "it ended" if status == 0 else f"it ended with status {status}"
