"""Our mark on an application: how we know, later and from anywhere, that it is ours and what it was made from.

The API has no labels. Of the fields that it returns as they were sent, names may repeat and are edited by people, as
descriptions are, and tags do not exist; an environment is returned in full (with project variables mixed in), is copied
by nobody without intent, and reaches the node inside, which reads the same variables to know its name. A subdomain is
unique in a workspace and cannot be changed, so a mark counts only on the subdomain that belongs to it: an application
that somebody made from a copy of ours is not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cai_deploy.places.epochs import parse_epoch

CLUSTER = "CAI_DEPLOY_CLUSTER"
OWNER = "CAI_DEPLOY_OWNER"
NODE = "CAI_DEPLOY_NODE"
GROUP = "CAI_DEPLOY_GROUP"
FINGERPRINT = "CAI_DEPLOY_FINGERPRINT"
EPOCH = "CAI_DEPLOY_EPOCH"

UNCLAIMED = "(known once the change begins)"


@dataclass(frozen=True)
class Mark:
    """Whose an application is (``owner`` is the project's id), and which node of which cluster.

    ``epoch`` rises with each claim on the cluster: whoever finds a higher one than its own has been overtaken.
    """

    cluster: str
    owner: str
    node: str
    group: str
    fingerprint: str
    epoch: int = 0

    def environment(self) -> dict[str, str]:
        """The variables that carry the mark. Its epoch is not known before the cluster is claimed."""
        return {
            CLUSTER: self.cluster,
            OWNER: self.owner,
            NODE: self.node,
            GROUP: self.group,
            FINGERPRINT: self.fingerprint,
            EPOCH: str(self.epoch) if self.epoch else UNCLAIMED,
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
            epoch=parse_epoch(environment.get(EPOCH)),
        )
    except KeyError:
        return None
