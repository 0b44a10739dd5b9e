"""What a workspace shows of one cluster: what every place does, and the raw facts that ``build.py`` needs besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cai_deploy.api.schemas import Project, Runtime
from cai_deploy.places.base import PlaceObservation
from cai_deploy.state import GroundState


@dataclass(frozen=True)
class CaiObservation(PlaceObservation):
    """``runtimes_in_use`` are the images that nodes run on, by group; ``requirements`` is the text of the lock
    file, and ``lock_file`` where it stands.

    ``missing_scripts`` are the scripts that the
    specification names and the project does not hold. ``oldest`` and ``newest`` are when the first and the last of its
    nodes were created.
    """

    project: Project | None = None
    runtimes_in_use: Mapping[str, str] = field(default_factory=dict)
    runtimes: tuple[Runtime, ...] = ()
    requirements: str | None = None
    lock_file: str = ""
    missing_scripts: frozenset[str] = frozenset()
    oldest: datetime | None = None
    newest: datetime | None = None

    @property
    def code_there(self) -> bool:
        """Whether the project's clone has come to its end."""
        return any(ground.kind == "project" and ground.state is GroundState.READY for ground in self.ground)
