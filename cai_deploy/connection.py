"""The connection file: how a node, a client or a person finds the head of a cluster.

The head's agent writes it on the shared project directory each time Ray starts there; everybody else reads it.
Each start raises the epoch, so a reader can tell a moved head from a stale file. It holds a *reference* to the
Ray token (a path), never the token. Standard library only: it is read by agents, jobs and bare clients.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cai_deploy.errors import ConnectionFileError

VERSION = 1


@dataclass(frozen=True)
class ConnectionInfo:
    """Where a cluster's head is. Times are ISO 8601 in UTC; ``""`` means "not there"."""

    cluster: str
    epoch: int
    node_address: str
    gcs_address: str
    client_address: str
    dashboard_address: str
    dashboard_url: str
    ray_version: str
    python_version: str
    started_at: str
    expires_at: str = ""
    token_path: str = ""
    version: int = VERSION

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def parse(text: str, *, source: str = "connection file") -> ConnectionInfo:
    """Read the file's text; unknown keys are ignored so that a newer head can add some.

    Raises ConnectionFileError for text that is cut off, not ours, or of a version that we do not know.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ConnectionFileError(
            f"{source} is not readable",
            why=f"not JSON: {error}",
            next_step="if it stays so, the head died while starting: look at its log",
        ) from error
    if not isinstance(data, dict) or data.get("version") != VERSION:
        found = data.get("version") if isinstance(data, dict) else type(data).__name__
        raise ConnectionFileError(
            f"{source} has version {found!r}, this program reads version {VERSION}",
            next_step="use the same cai_deploy version here and on the head",
        )
    known = {field.name for field in fields(ConnectionInfo)}
    try:
        return ConnectionInfo(**{key: value for key, value in data.items() if key in known})
    except TypeError as error:
        raise ConnectionFileError(f"{source} lacks a field", why=str(error)) from error


def load(path: Path) -> ConnectionInfo | None:
    """The connection info in ``path``, or None while there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return parse(text, source=str(path))


def write(path: Path, info: ConnectionInfo) -> None:
    """Put ``info`` at ``path`` so that a reader sees the old file or the new one, never half of one.

    The rename is atomic on NFS too; the fsync before it keeps a crash from leaving an empty file behind the name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("w", encoding="utf-8") as file:
        file.write(info.to_json())
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
