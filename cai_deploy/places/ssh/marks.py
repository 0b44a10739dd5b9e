"""Whose a node on a host is. Pure.

A host may carry clusters of several people under one user; what counts as ours is what the same head's host owns.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from cai_deploy.ssh_hosts import SshHost


@dataclass(frozen=True)
class Mark:
    """Which node of which cluster a process is, and whose. ``address`` is where the others reach it."""

    cluster: str
    owner: str
    node: str
    group: str
    fingerprint: str
    epoch: int
    address: str

    @property
    def keeper(self) -> str:
        """What every process of the node has in its variables."""
        return f"{self.owner}/{self.cluster}/{self.node}"

    def fields(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


def owner_of(head: SshHost, cluster: str) -> str:
    """Who owns a cluster's nodes: the directory on the head's host that holds its files, as a digest."""
    return hashlib.sha256(f"{head.user or ''}@{head.name}:{head.directory_of(cluster)}".encode()).hexdigest()[:16]
