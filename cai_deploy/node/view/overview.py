"""The cluster in one answer: nodes, jobs, what happened lately, what Serve serves. People see it as a page.

Everything comes from the GCS, but for the routes of Serve, which Serve's own proxy in this pod is asked for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any
from urllib.request import ProxyHandler, build_opener

from cai_deploy.connection import ConnectionInfo
from cai_deploy.node.gcs import Gcs, GcsAway, RayNode, Submission
from cai_deploy.node.view.history import Event, history
from cai_deploy.node.view.members import idle, state_of

RESOURCES = {"cpu": "CPU", "memory": "memory", "gpu": "GPU"}
"""What is told of a node, and Ray's names for it; memory is in bytes."""

JOBS_SHOWN = 50
GONE_SHOWN = 3600
"""Seconds for which a node that died is still listed; then its end is among the events alone."""

SERVE_TIMEOUT = 1.0
DIRECT = build_opener(ProxyHandler({}))
LONGEST = 300


class Overview:
    """What ``gcs`` knows of the cluster that ``info`` announces. ``routes`` tells what Serve serves."""

    def __init__(self, gcs: Gcs, info: ConnectionInfo, routes: Callable[[], Mapping[str, str]]) -> None:
        self._gcs = gcs
        self._info = info
        self._routes = routes

    def describe(self) -> dict[str, Any]:
        """What ``/cai-deploy/overview`` answers; no nodes and no jobs while there is no GCS to ask."""
        told = {
            "cluster": self._info.cluster,
            "epoch": self._info.epoch,
            "ray_version": self._info.ray_version,
            "python_version": self._info.python_version,
            "started_at": self._info.started_at,
            "gcs_address": self._info.gcs_address,
            "client_address": self._info.client_address,
            "token_path": self._info.token_path,
            "authority_path": self._info.authority_path,
            "url": self._info.dashboard_url,
            "now": moment(int(time.time() * 1000)),
        }
        try:
            nodes, drains = self._gcs.nodes(), self._gcs.drains()
            free, jobs = self._gcs.free(), self._gcs.jobs()
        except GcsAway:
            return {**told, "answers": False, "nodes": [], "jobs": [], "events": [], "serve": {}}
        events = [_event(event) for event in history(nodes, drains)]
        return {
            **told,
            "answers": True,
            "nodes": [
                {**member(node, free.get(node.id)), "state": state_of(node, drains)}
                for node in shown(nodes, time.time() * 1000)
                if state_of(node, drains) != "DRAINED"
            ],
            "jobs": [_job(job) for job in reversed(jobs[-JOBS_SHOWN:])],
            "events": events,
            "serve": dict(self._routes()),
        }


def shown(nodes: Sequence[RayNode], now: float) -> list[RayNode]:
    """The last start of each node, the head first and the others by name, without those that died long ago.

    ``nodes`` come by their starts; ``now`` is in milliseconds.
    """
    last = {node.name: node for node in nodes}
    kept = [node for node in last.values() if node.state != "DEAD" or now - node.ended < GONE_SHOWN * 1000]
    return sorted(kept, key=lambda node: (not node.is_head, _natural(node.name)))


def member(node: RayNode, free: Mapping[str, float] | None) -> dict[str, Any]:
    """One node; ``free`` is what nobody has reserved of it, None when that is not known."""
    return {
        "name": node.name,
        "address": node.address,
        "is_head": node.is_head,
        "idle": idle(node),
        "group": node.labels.get("cai-deploy/group", ""),
        "epoch": node.labels.get("cai-deploy/epoch", ""),
        "since": moment(node.ended if node.state == "DEAD" else node.started),
        **{name: _share(node, free, ray_name) for name, ray_name in RESOURCES.items()},
    }


def serve_routes(port: int) -> dict[str, str]:
    """Which application answers at which route of the Serve proxy in this pod; none while there is no proxy."""
    try:
        with DIRECT.open(f"http://127.0.0.1:{port}/-/routes", timeout=SERVE_TIMEOUT) as answer:
            told = json.load(answer)
    except (OSError, ValueError):
        return {}
    return {str(route): str(name) for route, name in told.items()} if isinstance(told, dict) else {}


def moment(milliseconds: int) -> str | None:
    """A time of Ray's as ISO 8601 in UTC; None for one that is not there."""
    if not milliseconds:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="seconds")


def _share(node: RayNode, free: Mapping[str, float] | None, name: str) -> dict[str, float | None]:
    total = node.resources.get(name, 0.0)
    return {"total": total, "used": None if free is None else max(total - free.get(name, 0.0), 0.0)}


def _job(job: Submission) -> dict[str, Any]:
    first = next(iter(job.message.strip().splitlines()), "")
    return {
        "id": job.id,
        "status": job.status,
        "entrypoint": job.entrypoint[:LONGEST],
        "exit_code": job.exit_code,
        "message": first[:LONGEST],
        "started_at": moment(job.started),
        "ended_at": moment(job.ended),
    }


def _event(event: Event) -> dict[str, Any]:
    return {**asdict(event), "at": moment(event.at)}


def _natural(name: str) -> tuple[str, int]:
    """worker-2 comes before worker-10."""
    stem, _, number = name.rpartition("-")
    return (stem, int(number)) if number.isdigit() else (name, -1)
