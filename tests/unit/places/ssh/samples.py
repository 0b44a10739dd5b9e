"""Hosts and records as tests need them."""

from __future__ import annotations

from typing import Any

from cai_deploy.places.ssh.control import HostState
from cai_deploy.places.ssh.marks import owner_of
from cai_deploy.places.ssh.records import Record
from cai_deploy.spec import ClusterSpec

SPEC = ClusterSpec.model_validate(
    {
        "place": "ssh",
        "workers": [{"cpu": 2, "replicas": 2}],
        "hosts": [{"address": "h1", "groups": ["head"]}, {"address": "h2"}, {"address": "h3", "bind": "10.9.9.3"}],
    }
)
OWNER = owner_of(SPEC.hosts[0], "ray")
LOCKED = "ray[default]==2.60.0\n"


def host(number: int, *nodes: Record, **more: Any) -> HostState:
    fields: dict[str, Any] = {
        "directory": f"/home/h{number}",
        "python": "3.11.7",
        "cpu": 4,
        "gpu": 0,
        "address": f"10.0.0.{number}",
        "disk": 10**11,
        "shm": 10**10,
        "time": 0.0,
        "code": frozenset(),
        "environments": frozenset(),
        "files": {},
        "texts": {},
        "nodes": nodes,
    }
    return HostState(**{**fields, **more})


def record(node: str, **more: Any) -> Record:
    fields: dict[str, Any] = {
        "cluster": "ray",
        "owner": OWNER,
        "node": node,
        "group": node.rpartition("-")[0] or node,
        "fingerprint": "f",
        "epoch": 7,
        "pid": 42,
        "address": "10.0.0.2",
        "port": 8100,
        "launched": 1000.0,
        "lives": True,
        "same_boot": True,
        "stopping": False,
        "ended": None,
    }
    return Record(**{**fields, **more})
