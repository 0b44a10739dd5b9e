"""The connection file: how a node, a client or a person finds the head of a cluster.

The head's agent writes it on the shared project directory each time that the agent starts; everybody else reads it.
Each such start raises the epoch, so a reader can tell a moved head from a stale file. It holds *references* to the
Ray token and to the authority of the nodes' certificates (paths), never the secrets themselves. Standard library only:
it is read by agents, jobs and bare clients.
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
    """Where a cluster's head is. Times are ISO 8601 in UTC; ``""`` means "not there".

    A head whose time is limited tells when it ends (``expires_at``), that it is about to (``warned_at``), and which job
    goes on from where it was (``successor``), if it ``hands_over`` at all. One that has ended the whole cluster leaves
    word of that (``ended_at``, ``ended_why``), so that nobody waits for it.
    """

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
    authority_path: str = ""
    hands_over: bool = False
    warned_at: str = ""
    successor: str = ""
    ended_at: str = ""
    ended_why: str = ""
    version: int = VERSION

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self), indent=2) + "\n"


class OtherVersion(ConnectionFileError):
    """The file was written by another version of this program, of whose fields only the GCS's address can be told.

    ``gcs_address`` is "" when not even that can.
    """

    def __init__(self, what: str, *, next_step: str, gcs_address: str) -> None:
        super().__init__(what, next_step=next_step)
        self.gcs_address = gcs_address


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
    return from_fields(data, source=source)


def from_fields(data: object, *, source: str = "connection file") -> ConnectionInfo:
    """Read the file's fields. Raises ConnectionFileError as :func:`parse` does."""
    if not isinstance(data, dict):
        raise ConnectionFileError(f"{source} is not readable", why=f"it holds a {type(data).__name__}")
    if data.get("version") != VERSION:
        raise OtherVersion(
            f"{source} has version {data.get('version')!r}, this program reads version {VERSION}",
            next_step="use the same cai_deploy version here and on the head",
            gcs_address=str(data.get("gcs_address") or ""),
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
