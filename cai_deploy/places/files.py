"""The files of one project directory, whatever keeps them: a workspace's files API, or a directory that is there.

Paths are relative to the project's root and use forward slashes (``layout.py`` is the map). A place's rules of claims,
notes and logs are written against this, and must not know what is behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Entry:
    """What a directory holds under one name; ``path`` is relative to that directory."""

    path: str
    is_dir: bool = False
    file_size: int = 0


class ProjectFiles(Protocol):
    """Reads and writes. Every method raises ConfigError for a path outside the project, DeployError for trouble.

    What was written is in every later listing, as a whole or not at all; that is what claims are built on.
    """

    def list(self, path: str) -> list[Entry]:
        """What is in the directory ``path`` ("" is the root); nothing where there is no such directory."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is a file or a directory at ``path``."""
        ...

    def read_text(self, path: str) -> str | None:
        """The content of a file as UTF-8, with marks for what is not; None when there is no such file."""
        ...

    def download_from(self, path: str, start: int) -> bytes | None:
        """The content of a file from byte ``start`` on, b"" when it is not that long; None when there is no such."""
        ...

    def upload(self, path: str, content: bytes) -> None:
        """Put ``content`` at ``path`` in place of what is there."""
        ...

    def create(self, path: str, content: bytes) -> None:
        """Put ``content`` at ``path``, which is empty and nobody else's."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file, or a directory with all that is in it; one that is gone already is fine."""
        ...

    def rename(self, path: str, to: str) -> bool:
        """Give a file or a directory another path, where nothing is; False when there is none (any more)."""
        ...
