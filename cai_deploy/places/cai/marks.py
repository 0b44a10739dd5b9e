"""Our mark on an application: how we know, later and from anywhere, that it is ours and what it was made from.

The API has no labels. It does return an application's environment in full (with project variables mixed in), so the
mark is a handful of variables there; the node inside reads the same ones to know its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLUSTER = "CAI_DEPLOY_CLUSTER"
OWNER = "CAI_DEPLOY_OWNER"
NODE = "CAI_DEPLOY_NODE"
GROUP = "CAI_DEPLOY_GROUP"
FINGERPRINT = "CAI_DEPLOY_FINGERPRINT"


@dataclass(frozen=True)
class Mark:
    """Whose an application is (``owner`` is the project's id), and which node of which cluster."""

    cluster: str
    owner: str
    node: str
    group: str
    fingerprint: str

    def environment(self) -> dict[str, str]:
        """The variables that carry the mark."""
        return {
            CLUSTER: self.cluster,
            OWNER: self.owner,
            NODE: self.node,
            GROUP: self.group,
            FINGERPRINT: self.fingerprint,
        }


def read(environment: Mapping[str, str]) -> Mark | None:
    """The mark in an application's environment, or None when it carries none."""
    try:
        return Mark(
            cluster=environment[CLUSTER],
            owner=environment[OWNER],
            node=environment[NODE],
            group=environment[GROUP],
            fingerprint=environment[FINGERPRINT],
        )
    except KeyError:
        return None
