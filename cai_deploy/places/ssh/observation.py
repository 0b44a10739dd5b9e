"""What hosts show of one cluster: an Observation, and what ``build.py`` needs besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cai_deploy.places.base import PlaceObservation
from cai_deploy.places.ssh.control import HostState
from cai_deploy.places.ssh.placement import Placement


@dataclass(frozen=True)
class SshObservation(PlaceObservation):
    """``hosts`` are those that answered, by name, and ``silent`` why each of the others did not.

    ``placement`` is where nodes were when that was last written down. ``requirements`` is the text of
    the lock file where we stand, ``scripts`` those of people that the specification names, by path.
    """

    hosts: Mapping[str, HostState] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    placement: Placement = field(default_factory=Placement)
    requirements: str | None = None
    scripts: Mapping[str, str] = field(default_factory=dict)
