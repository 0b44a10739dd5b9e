"""What a host knows of its nodes: a record for each, and the request that it was last started with.

Only the request may hold secrets, and is its owner's alone. One of several modules that are sent to a host together,
see ``host_control``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cai_deploy.node.host_files import text


def records(root: Path, cluster: str) -> list[dict[str, Any]]:
    """Those of one cluster."""
    return list(filter(None, map(read, sorted(record_file(root, cluster, "x").parent.glob("*.json")))))


def record_file(root: Path, cluster: str, node: str) -> Path:
    """See ``layout.host_record_file``, which is not to be had here."""
    return root / ".cai-deploy" / "clusters" / cluster / "nodes" / f"{node}.json"


def read(file: Path) -> dict[str, Any] | None:
    """A record, None for none that can be read."""
    try:
        record = json.loads(text(file) or "")
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def write(file: Path, record: dict[str, Any]) -> None:
    """Replace a record at once."""
    scratch = file.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps(record), encoding="utf-8")
    scratch.replace(file)


def remembered(file: Path, request: dict[str, Any]) -> dict[str, Any]:
    """The request, kept for its owner alone; or, of one that names no command, what a node was last started with."""
    if "command" not in request:
        return {**json.loads(file.read_text(encoding="utf-8")), **request}
    with contextlib.suppress(FileNotFoundError):
        file.unlink()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as kept:
        json.dump(request, kept)
    return request


def forget(file: Path) -> None:
    """Remove a node's record, and what it was started with."""
    file.unlink(missing_ok=True)
    file.with_suffix(".request").unlink(missing_ok=True)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One at a time on this host."""
    with (directory / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
