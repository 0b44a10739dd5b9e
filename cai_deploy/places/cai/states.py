"""The one table from the workspace's words for an application to ours."""

from __future__ import annotations

import logging

from cai_deploy.state import NodeState

log = logging.getLogger(__name__)

APPLICATION_STATES = {
    "APPLICATION_STARTING": NodeState.STARTING,
    "APPLICATION_RUNNING": NodeState.RUNNING,
    "APPLICATION_STOPPING": NodeState.STOPPING,
    "APPLICATION_STOPPED": NodeState.STOPPED,
    "APPLICATION_FAILED": NodeState.FAILED,
    "APPLICATION_UNKNOWN": NodeState.UNKNOWN,
}

_told: set[str] = set()


def node_state(status: str) -> NodeState:
    """Our word for an application's ``status``. A word that we don't know is UNKNOWN, never an end state."""
    state = APPLICATION_STATES.get(status)
    if state is None:
        if status not in _told:
            _told.add(status)
            log.warning("the workspace calls an application %r, a word that this version does not know", status)
        return NodeState.UNKNOWN
    return state
