"""Files of a project, by paths relative to its root. It must not know what they mean.

The workspace never replaces a file on upload: it keeps the old one, stores the new one as ``name(1).ext`` and answers
200. So replacing is a delete and an upload, and no path reaches an address before it has been checked.
"""

from __future__ import annotations

import builtins
from itertools import count
from pathlib import PurePosixPath

from cai_deploy.api.creation import create_once
from cai_deploy.api.errors import ApiError, NotFound
from cai_deploy.api.paging import entries_of
from cai_deploy.api.paths import file_of_project, file_path, resource
from cai_deploy.api.schemas import FileInfo
from cai_deploy.api.transport import Transport

NOT_THAT_LONG = 416


class Files:
    """The files of any project.

    Every method raises ConfigError for a path outside the project, ApiError, PlaceUnreachable or UnreadableAnswer.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, project_id: str, path: str = "") -> builtins.list[FileInfo]:
        """What is in the directory ``path`` ("" is the root), or the one entry of a file. Raises NotFound."""
        clean = file_path(path)
        address = _address(project_id, clean) if clean else f"{resource('projects', project_id, 'files')}/"
        page = self._transport.read(address)
        return [FileInfo.read(entry) for entry in entries_of(page, "files", address)]

    def exists(self, project_id: str, path: str) -> bool:
        """Whether there is a file or a directory at ``path``."""
        try:
            self.list(project_id, path)
        except NotFound:
            return False
        return True

    def download(self, project_id: str, path: str) -> bytes:
        """The content of a file. Raises NotFound."""
        return self._transport.read_bytes(_address(project_id, file_of_project(path), action="download"))

    def download_from(self, project_id: str, path: str, start: int) -> bytes:
        """The content of a file from byte ``start`` on, b"" when it is not that long. Raises NotFound."""
        try:
            return self._transport.read_bytes(_address(project_id, file_of_project(path), action="download"), start)
        except ApiError as error:
            if error.status != NOT_THAT_LONG:
                raise
            return b""

    def read_text(self, project_id: str, path: str) -> str | None:
        """The content of a file as UTF-8, with marks for what is not; None when there is no such file."""
        try:
            return self.download(project_id, path).decode("utf-8", errors="replace")
        except NotFound:
            return None

    def upload(self, project_id: str, path: str, content: bytes) -> None:
        """Put ``content`` at ``path`` in place of what is there. When the answer gets lost, the file is compared."""
        clean = file_of_project(path)

        def send() -> bool:
            self.delete(project_id, clean)
            self._transport.send_file(resource("projects", project_id, "files"), clean, content)
            return True

        create_once(send, lambda: self._holds(project_id, clean, content), self._transport.sleep)

    def create(self, project_id: str, path: str, content: bytes) -> None:
        """Put ``content`` at ``path``, which is empty and nobody else's: one request where ``upload`` takes two.

        What such a path holds after a lost answer is ours: the file as a whole, or a piece of it that makes room.
        """
        clean = file_of_project(path)
        attempts = count()

        def send() -> bool:
            if next(attempts):
                self.delete(project_id, clean)
            self._transport.send_file(resource("projects", project_id, "files"), clean, content)
            return True

        create_once(send, lambda: self._holds(project_id, clean, content), self._transport.sleep)

    def delete(self, project_id: str, path: str) -> None:
        """Remove a file, or a directory with all that is in it; one that is gone already is fine."""
        try:
            self._transport.write("DELETE", _address(project_id, file_of_project(path)))
        except NotFound:
            return

    def rename(self, project_id: str, path: str, to: str) -> None:
        """Give a file or a directory another path, where nothing is. Raises NotFound."""
        self._transport.write("PATCH", _address(project_id, file_of_project(path)), {"path": file_of_project(to)})

    def _holds(self, project_id: str, path: str, content: bytes) -> bool | None:
        try:
            return True if self.download(project_id, path) == content else None
        except NotFound:
            return None


def _address(project_id: str, path: str, action: str = "") -> str:
    return resource("projects", project_id, "files", *PurePosixPath(path).parts, action=action)
