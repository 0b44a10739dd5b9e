"""What Ray itself says of the nodes, asked at the head's application, which is all that is open from outside."""

from __future__ import annotations

from typing import Any

from cai_deploy.api.application_http import ApplicationHttp, ApplicationNotAnswering
from cai_deploy.state import ALIVE

AGENT_PATH = "/cai-deploy/nodes"
DASHBOARD_PATH = "/api/v0/nodes?detail=1"
"""With an inline command no agent stands before Ray's dashboard, which then answers on the application's port."""


def list_ray_nodes(door: ApplicationHttp, subdomain: str) -> dict[str, tuple[str, str]]:
    """Ray's nodes as name -> (state, address). Empty while nobody answers there, which says nothing about the nodes."""
    for path in (AGENT_PATH, DASHBOARD_PATH):
        try:
            answer = door.get_json(subdomain, path)
        except ApplicationNotAnswering:
            continue
        nodes = answer.get("nodes") if "nodes" in answer else answer.get("data", {}).get("result", {}).get("result")
        if isinstance(nodes, list):
            return latest(nodes)
    return {}


def latest(nodes: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """One entry per name: a restarted node is listed twice, once DEAD and once ALIVE, and the living one counts."""
    states: dict[str, tuple[str, str]] = {}
    for node in nodes:
        name = str(node.get("name") or node.get("node_name") or "")
        entry = (str(node.get("state", "")), str(node.get("address") or node.get("node_ip") or ""))
        if name not in states or entry[0] == ALIVE:
            states[name] = entry
    return states
