"""On which host each node is, as it is written down on the head's. Pure.

What a node is, its host says; this tells only which nodes are out of sight when a host does not answer, and how those
hosts are reached that the specification does not name any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from cai_deploy.ssh_hosts import SshHost


@dataclass(frozen=True)
class Placement:
    """The host of each node by name, and how those hosts are reached."""

    nodes: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[SshHost, ...] = ()

    def to_json(self) -> str:
        """Canonical text."""
        hosts = [host.model_dump(mode="json", exclude_defaults=True) for host in self.hosts]
        return json.dumps({"nodes": dict(self.nodes), "hosts": hosts}, indent=2, sort_keys=True) + "\n"


def parse(text: str | None) -> Placement:
    """What was written, nothing where that cannot be read."""
    try:
        told = json.loads(text or "{}")
        hosts = tuple(SshHost.model_validate(each) for each in told.get("hosts", ()))
        return Placement({str(name): str(host) for name, host in told.get("nodes", {}).items()}, hosts)
    except (ValueError, AttributeError, ValidationError):
        return Placement()
