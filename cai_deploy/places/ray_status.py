"""What Ray itself says of the nodes, asked at the head's door, which is all that is open from outside.

The agent there answers for more than the nodes: it hands out small files of the project, and passes on the wish that a
node be drained. With an inline command there is no agent, and Ray's dashboard answers there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cai_deploy.access import NoAnswer
from cai_deploy.connection import ConnectionInfo, from_fields
from cai_deploy.errors import ConnectionFileError
from cai_deploy.places.epochs import parse_epoch
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.state import ALIVE, Request

AGENT_PATH = "/cai-deploy/nodes"
DRAIN_PATH = "/cai-deploy/drain"
FILES_PATH = "/cai-deploy/files"
DASHBOARD_PATH = "/api/v0/nodes?detail=1"

EPOCH_LABEL = "cai-deploy/epoch"
"""Ray's label of a node, with the epoch under which it was set up when it started."""

GROUP_LABEL = "cai-deploy/group"

PROCESS_LABEL = "cai-deploy/process"

MOVED_BY = "cai_deploy changes or removes this node"


@dataclass(frozen=True)
class RayNode:
    """One node in Ray's words. ``idle`` is None when nobody knows; ``epoch`` is that of its start, 0 when unknown.

    ``group`` and ``process`` are those of its labels, "" where it has none; a process is ``NUMBER.HOST``.
    """

    state: str
    address: str
    idle: bool | None = None
    epoch: int = 0
    group: str = ""
    process: str = ""


@dataclass(frozen=True)
class RayView:
    """What the head says; nothing while nobody answers there, which says nothing about the nodes."""

    nodes: Mapping[str, RayNode] = field(default_factory=dict)
    connection: ConnectionInfo | None = None
    agent: bool = False


def look(door: TokenDoor, name: str) -> RayView:
    """Ask the agent at ``name``, or else the dashboard."""
    try:
        answer = door.get_json(name, AGENT_PATH)
        return RayView(latest(_listed(answer.get("nodes"))), _connection(answer.get("connection")), agent=True)
    except NoAnswer:
        pass
    try:
        answer = door.get_json(name, DASHBOARD_PATH)
    except NoAnswer:
        return RayView()
    data = answer.get("data")
    result = data.get("result") if isinstance(data, dict) else None
    return RayView(latest(_listed(result.get("result") if isinstance(result, dict) else None)))


def says_drained(door: TokenDoor, name: str) -> bool:
    """Whether the worker's own agent says that it was drained.

    Ray remembers the drained node as the last of that name until the next one joins: only the worker itself knows
    whether it is still that one, or has been started anew.
    """
    try:
        return door.get_json(name, "/").get("state") == "drained"
    except NoAnswer:
        return False


def read_files(door: TokenDoor, name: str, paths: Sequence[str]) -> dict[str, str]:
    """Those of ``paths`` that the head's agent hands out."""
    try:
        files = door.post_json(name, FILES_PATH, {"paths": list(paths)}).get("files")
    except NoAnswer:
        return {}
    return {path: text for path, text in files.items() if isinstance(text, str)} if isinstance(files, dict) else {}


def drain_request(head: Mapping[str, str], node: str, deadline: float) -> Request:
    """What has Ray move work off ``node`` within ``deadline`` seconds; ``head`` says whom to ask, as the place does."""
    body = {"node": node, "deadline_seconds": deadline, "reason": MOVED_BY}
    return {"method": "POST", **head, "path": DRAIN_PATH, "body": body}


def latest(nodes: Sequence[Mapping[str, Any]]) -> dict[str, RayNode]:
    """One entry per name: a restarted node is listed twice, once DEAD and once ALIVE, and the living one counts.

    Of several that live, or have ended, the one listed last counts: Ray may not know yet that the other is gone.
    """
    states: dict[str, RayNode] = {}
    for node in nodes:
        name = str(node.get("name") or node.get("node_name") or "")
        idle, labels = node.get("idle"), node.get("labels")
        entry = RayNode(
            str(node.get("state", "")),
            str(node.get("address") or node.get("node_ip") or ""),
            idle if isinstance(idle, bool) else None,
            parse_epoch(labels.get(EPOCH_LABEL)) if isinstance(labels, dict) else 0,
            str(labels.get(GROUP_LABEL, "")) if isinstance(labels, dict) else "",
            str(labels.get(PROCESS_LABEL, "")) if isinstance(labels, dict) else "",
        )
        if name not in states or states[name].state != ALIVE or entry.state == ALIVE:
            states[name] = entry
    return states


def _listed(nodes: object) -> list[dict[str, Any]]:
    return [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []


def _connection(fields: object) -> ConnectionInfo | None:
    try:
        return from_fields(fields) if isinstance(fields, dict) else None
    except ConnectionFileError:
        return None
