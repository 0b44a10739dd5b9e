"""What Slurm and the shared directory show of one cluster: an Observation, and what ``build.py`` needs besides."""

from __future__ import annotations

from dataclasses import dataclass

from cai_deploy.places.base import PlaceObservation
from cai_deploy.state import Node


@dataclass(frozen=True)
class SlurmObservation(PlaceObservation):
    """``clients`` are jobs of people that joined the cluster with scripts of theirs, and are no part of its plan.

    ``requirements`` is the text of the lock file; ``missing_scripts`` are the scripts that the specification names and
    the directory does not hold, ``strange_files`` are no launchers of ours and stand where one should.
    """

    clients: tuple[Node, ...] = ()
    requirements: str | None = None
    missing_scripts: frozenset[str] = frozenset()
    strange_files: frozenset[str] = frozenset()
