"""What all nodes of one group share as containers, and the fingerprint of it. Pure.

A fingerprint covers all that makes a container what it is and leaves out the number of its siblings, so that scaling
never restarts anybody; the program that nodes run is left out too, as a newer one is taken up at the next start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cai_deploy.compose_options import Compose
from cai_deploy.places.compose.marks import owner_of, project_name
from cai_deploy.places.node_plan import NodePlan
from cai_deploy.spec import HEAD, WorkerGroup


@dataclass(frozen=True)
class Where:
    """The project ``directory``, the digest of the ``code`` that nodes run, and as whom they run ("" for root)."""

    directory: str
    code: str
    user: str

    @property
    def owner(self) -> str:
        """Whose the containers are."""
        return owner_of(self.directory)

    def project(self, cluster: str) -> str:
        """What Compose calls a cluster of this directory."""
        return project_name(cluster, self.owner)


@dataclass(frozen=True)
class GroupPlan(NodePlan):
    """One group's containers."""

    image: str
    compose: Compose

    @property
    def name(self) -> str:
        """The group, and the service."""
        return self.group.name

    @property
    def replicas(self) -> int:
        """How many there are to be."""
        return self.group.replicas if isinstance(self.group, WorkerGroup) else 1

    @property
    def given(self) -> dict[str, Any]:
        """What they have of Compose, and their image."""
        heads_alone = set() if self.name == HEAD else {"publish", "address"}
        compose = self.compose.model_dump(mode="json", exclude_defaults=True, exclude=heads_alone)
        return {"compose": compose, "image": self.image}
