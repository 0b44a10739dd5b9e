"""Groundwork of a cluster of containers: files in its directory, and an image in Docker's engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cai_deploy.places.compose.engine import Engine
from cai_deploy.places.directory import DirectoryFiles, DirectoryTrouble
from cai_deploy.places.directory_ground import GroundInDirectory
from cai_deploy.places.fingerprints import fingerprint
from cai_deploy.project.environment import keep_out_of_git
from cai_deploy.state import Ground, GroundState, Step, WantedGround

CLOSED, OPEN = "compose file", "image file"
OWNERS_ALONE = 0o600


@dataclass(frozen=True)
class GroundOfCompose:
    """The groundwork of clusters whose directory is ``root``."""

    root: Path
    engine: Engine

    def look(self, wanted: Sequence[WantedGround]) -> tuple[Ground, ...]:
        """How each of ``wanted`` stands."""
        return tuple(self._look_at(want) for want in wanted)

    def apply(self, step: Step) -> None:
        """Make it. Returns when it stands, which takes minutes for an image. Raises DeployError."""
        request = step.request or {}
        if step.kind in (CLOSED, OPEN):
            self.write(step.name, request["body"]["content"], closed=step.kind == CLOSED)
        elif step.kind != "image":
            GroundInDirectory(self.root).apply(step)
        elif "pull" in request:
            self.engine.pull(request["pull"], request["seconds"])
        else:
            self.engine.build(request["image"], request["build"], request["seconds"])

    def _look_at(self, want: WantedGround) -> Ground:
        if want.kind == "image":
            there = self.engine.has_image(want.name)
            return _stands(want, want.name if there else None)
        if want.kind in (CLOSED, OPEN):
            text = DirectoryFiles(self.root).read_text(want.name)
            return _stands(want, None if text is None else fingerprint(text))
        return GroundInDirectory(self.root).look([want])[0]

    def write(self, path: str, text: str, *, closed: bool) -> None:
        """Put a file there; one that holds a secret, or what the nodes' variables hold, is its owner's alone."""
        file = self.root / path
        try:
            keep_out_of_git(self.root)
            file.parent.mkdir(parents=True, exist_ok=True)
            if closed:
                file.touch(OWNERS_ALONE)
        except OSError as error:
            raise DirectoryTrouble(f"write {file}", self.root, error) from error
        DirectoryFiles(self.root).upload(path, text.encode())


def _stands(want: WantedGround, found: str | None) -> Ground:
    state = GroundState.ABSENT if found is None else GroundState.READY
    return Ground(want.kind, want.name, state, found or "")
