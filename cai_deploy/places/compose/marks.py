"""Our mark on a container: labels by which we know, later, that it is ours and what it was made from. Pure.

What Compose itself labels says which service a container is of and which number it has there; what is not of our
project and our cluster is never touched. An epoch is not among them: with one, two containers of one service would
differ, and Compose would make all of them anew when somebody runs it by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cai_deploy.spec import HEAD

CLUSTER = "cai-deploy.cluster"
OWNER = "cai-deploy.owner"
GROUP = "cai-deploy.group"
FINGERPRINT = "cai-deploy.fingerprint"

PROJECT = "com.docker.compose.project"
NUMBER = "com.docker.compose.container-number"


@dataclass(frozen=True)
class Mark:
    """Which group of which cluster a container is of, and whose; ``number`` counts from 1 in its service."""

    cluster: str
    owner: str
    group: str
    fingerprint: str
    number: int

    @property
    def node(self) -> str:
        """The node's name."""
        return HEAD if self.group == HEAD else f"{self.group}-{self.number - 1}"


def read(labels: Mapping[str, str]) -> Mark | None:
    """The mark in a container's labels, None when it has none."""
    try:
        cluster, owner, group = labels[CLUSTER], labels[OWNER], labels[GROUP]
        mark = Mark(cluster, owner, group, labels[FINGERPRINT], int(labels[NUMBER]))
    except (KeyError, ValueError):
        return None
    return mark if labels.get(PROJECT) == project_name(cluster, owner) else None


def owner_of(directory: str) -> str:
    """Who owns a cluster's containers: the directory that holds its files, as a digest."""
    return hashlib.sha256(directory.rstrip("/").encode()).hexdigest()[:16]


def project_name(cluster: str, owner: str) -> str:
    """What Compose calls the cluster. Two directories of one host may each have a cluster of that name."""
    return f"{cluster}-{owner[:6]}"
