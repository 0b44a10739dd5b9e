"""What Docker and the project directory show of one cluster: an Observation, and what ``build.py`` needs besides."""

from __future__ import annotations

from dataclasses import dataclass

from cai_deploy.places.base import PlaceObservation
from cai_deploy.state import Node


@dataclass(frozen=True)
class ComposeObservation(PlaceObservation):
    """``guests`` are workers of this host that join a head elsewhere, and are no part of a plan; ``user`` is as whom
    containers have to run for their files to be ours, "" for root.

    ``requirements`` is the text of the lock file; ``missing_scripts`` are the scripts that the specification names and
    the directory does not hold, ``strange_files`` are no launchers of ours and stand where one should.
    """

    guests: tuple[Node, ...] = ()
    user: str = ""
    requirements: str | None = None
    missing_scripts: frozenset[str] = frozenset()
    strange_files: frozenset[str] = frozenset()
