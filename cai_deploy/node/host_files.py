"""Files of a cluster on a host: what they hold, putting them there, and taking all of them away.

One of several modules that are sent to a host together, see ``host_control``.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any


def unpack(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Put the archive that follows the request below ``root``, complete as soon as it has its name."""
    target = root / request["path"]
    if not target.is_dir():
        scratch = target.with_name(f".{target.name}.{os.getpid()}")
        scratch.mkdir(parents=True)
        try:
            with tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()), mode="r:gz") as archive:
                archive.extractall(scratch)  # noqa: S202 (it is our own, from the same connection)
            scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return {"path": str(target)}


def remove(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Remove a cluster's files, and what clusters share unless another one is here. What is ``kept`` stays."""
    state = root / ".cai-deploy"
    clusters = state / "clusters"
    shutil.rmtree(clusters / request["cluster"], ignore_errors=True)
    for path in request["paths"]:
        (root / path).unlink(missing_ok=True)
    others = sorted(each.name for each in clusters.glob("*")) if clusters.is_dir() else []
    for each in state.glob("*") if state.is_dir() and not others else ():
        if each.name in request["kept"]:
            continue
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)
    for empty in (*sorted((root / path).parent for path in request["paths"]), state, root):
        with contextlib.suppress(OSError):
            empty.rmdir()
    return {"others": others}


def digest(file: Path) -> str:
    """What a file holds, in sixteen characters; "" for none."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def text(file: Path) -> str | None:
    """What a file holds, None for none."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
