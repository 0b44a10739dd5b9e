"""The contract of a place: what the reconciler needs to bring nodes to life somewhere.

A place knows how its nodes are seen, described and changed. It must not decide what to change (``plan.py``) nor wait
(``reconcile.py``). ``build`` is pure: the same specification and observation give the same requests, which is what
makes ``plan`` a true preview.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Observation, Step, Wanted

Seen = TypeVar("Seen", bound=Observation)
"""What one place observes: an Observation, with whatever more the place's own ``build`` needs."""


class Place(Protocol[Seen]):
    """Where the nodes of clusters live."""

    name: str

    def observe(self, spec: ClusterSpec) -> Seen:
        """The cluster that ``spec`` names and the groundwork that ``spec`` needs, as they are now. Reads only."""
        ...

    def observe_cluster(self, spec: ClusterSpec) -> Seen:
        """The cluster that ``spec`` names, without groundwork. Reads only."""
        ...

    def build(self, spec: ClusterSpec, seen: Seen) -> Wanted:
        """The objects that ``spec`` wants here, with the requests that make them. Pure."""
        ...

    def apply(self, step: Step) -> None:
        """Carry out one step by sending its request. Returns when the place has accepted it, not when it is done."""
        ...

    def forget(self, spec: ClusterSpec) -> None:
        """Remove the files that the cluster's nodes left behind. For when no node is left."""
        ...

    def node_log(self, cluster: str, node: str) -> str:
        """What a node has written, "" when nothing was."""
        ...

    def last_words(self, step: Step) -> str:
        """The last lines of what the step's object wrote, "" when there are none. Reads only, never raises."""
        ...
