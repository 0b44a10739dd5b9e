"""Files of a project, by their path below its root.

An upload never replaces: an occupied path keeps its file and the new one lands beside it as ``name(1).ext``, with
status 200. So replacing is delete, then post.
"""

from __future__ import annotations

from urllib.parse import quote

from cai_deploy.api.errors import NotFound, ServerError
from cai_deploy.api.paging import list_all
from cai_deploy.api.schemas import FileInfo
from cai_deploy.api.transport import UPLOAD_TIMEOUT, LostAnswer, Transport
from cai_deploy.errors import ConfigError


class Files:
    """The files of projects."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, project_id: str, path: str = "") -> list[FileInfo]:
        """The entries of a directory, or the one entry of a file. Raises NotFound."""
        return list_all(self._transport, self._path(project_id, path), "files", FileInfo)

    def exists(self, project_id: str, path: str) -> bool:
        """Whether there is a file or directory at ``path``."""
        try:
            self.list(project_id, path)
        except NotFound:
            return False
        return True

    def download(self, project_id: str, path: str) -> bytes:
        """The bytes of a file. Raises NotFound."""
        return self._transport.read("POST", f"{self._path(project_id, path)}:download").content

    def read_text(self, project_id: str, path: str) -> str | None:
        """The text of a file, None when there is none."""
        try:
            return self.download(project_id, path).decode("utf-8", errors="replace")
        except NotFound:
            return None

    def upload(self, project_id: str, path: str, content: bytes) -> None:
        """Put ``content`` at ``path`` in place of what was there. Raises ConfigError for a path outside the project."""
        self.delete(project_id, path)
        name = path.rpartition("/")[2]
        try:
            self._transport.send(
                "POST",
                f"/api/v2/projects/{project_id}/files",
                files={checked(path): (name, content)},
                timeout=UPLOAD_TIMEOUT,
            )
        except (ServerError, LostAnswer):
            # The answer was lost, the file perhaps not.
            if not self._holds(project_id, path, content):
                raise

    def delete(self, project_id: str, path: str) -> None:
        """Remove a file or directory; one that is not there is fine."""
        checked(path)
        try:
            self._transport.send("DELETE", self._path(project_id, path))
        except NotFound:
            return

    def _holds(self, project_id: str, path: str, content: bytes) -> bool:
        try:
            return self.download(project_id, path) == content
        except NotFound:
            return False

    def _path(self, project_id: str, path: str) -> str:
        return f"/api/v2/projects/{project_id}/files/{quote(checked(path) if path else path)}"


def checked(path: str) -> str:
    """``path``, if it stays inside the project. The platform would resolve dots; we refuse them."""
    parts = path.split("/")
    if not path or path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise ConfigError(f"{path!r} is not a path below a project's root")
    return path
