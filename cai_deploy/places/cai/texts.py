"""The small files of a project, read once in a run: nobody but the holder of the claim changes those that are ours."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from cai_deploy.api.files import Files
from cai_deploy.places.ray_status import read_files
from cai_deploy.places.token_door import TokenDoor

READERS = 6


class Texts:
    """Texts by path, as they were when they were first read; what our own steps change is forgotten."""

    def __init__(self, files: Files, door: TokenDoor) -> None:
        self._files = files
        self._door = door
        self._known: dict[str, str | None] = {}
        self._handed_out: dict[str, str | None] = {}

    def read(self, project_id: str, paths: Iterable[str]) -> dict[str, str | None]:
        """The texts of ``paths``, None for what does not exist."""
        wanted = list(dict.fromkeys(paths))
        missing = [path for path in wanted if path not in self._known]
        if missing:
            with ThreadPoolExecutor(min(READERS, len(missing))) as pool:
                texts = pool.map(lambda path: self._files.read_text(project_id, path), missing)
                self._known |= dict(zip(missing, texts, strict=True))
        return {path: self._known[path] for path in wanted}

    def knows(self, path: str) -> bool:
        """Whether ``path`` was read, so that ``read`` costs nothing."""
        return path in self._known

    def look_anew(self) -> None:
        """A new look begins: what the head has handed out in the one before may have changed."""
        self._handed_out = {}

    def ask_head(self, subdomain: str, paths: Iterable[str]) -> dict[str, str]:
        """Those of ``paths`` that the head's agent hands out; what it was not asked for in this look, in one call.

        Its view of a shared file system may be a moment old. So a text that is as expected counts, and one that is
        not is no proof of anything.
        """
        wanted = list(paths)
        missing = [path for path in wanted if path not in self._handed_out]
        if missing:
            told = read_files(self._door, subdomain, missing)
            self._handed_out |= {path: told.get(path) for path in missing}
        return {path: text for path in wanted if (text := self._handed_out[path]) is not None}

    def forget(self, *paths: str) -> None:
        """Read these again the next time; all of them when none is named."""
        for path in paths or tuple(self._known):
            self._known.pop(path, None)
