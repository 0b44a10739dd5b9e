"""The files of one project of a workspace, as every place has them."""

from __future__ import annotations

import builtins
from dataclasses import dataclass

from cai_deploy.api.errors import NotFound
from cai_deploy.api.files import Files
from cai_deploy.places.files import Entry


@dataclass(frozen=True)
class CaiFiles:
    """The files of ``project_id``, through the API; none while there is no project ("")."""

    files: Files
    project_id: str

    def list(self, path: str) -> builtins.list[Entry]:
        """What is in a directory, see ``ProjectFiles``."""
        if not self.project_id:
            return []
        try:
            found = self.files.list(self.project_id, path)
        except NotFound:
            return []
        return [Entry(entry.path, entry.is_dir, entry.file_size) for entry in found]

    def exists(self, path: str) -> bool:
        """Whether anything is there."""
        return bool(self.project_id) and self.files.exists(self.project_id, path)

    def read_text(self, path: str) -> str | None:
        """The text of a file, None for none."""
        return self.files.read_text(self.project_id, path) if self.project_id else None

    def download_from(self, path: str, start: int) -> bytes | None:
        """A part of a file, None for none."""
        try:
            return self.files.download_from(self.project_id, path, start) if self.project_id else None
        except NotFound:
            return None

    def upload(self, path: str, content: bytes) -> None:
        """Put content in place of what is there: for a moment, neither is."""
        self.files.upload(self.project_id, path, content)

    def create(self, path: str, content: bytes) -> None:
        """Put content where nothing is."""
        self.files.create(self.project_id, path, content)

    def delete(self, path: str) -> None:
        """Remove a file or a directory."""
        self.files.delete(self.project_id, path)

    def rename(self, path: str, to: str) -> bool:
        """Move a file or a directory; False when it is not there, perhaps as it was moved before."""
        try:
            self.files.rename(self.project_id, path, to)
        except NotFound:
            return False
        return True
