"""Small text files of the project directory, many in one answer: an observer outside needs one call instead of many.

What is closed to the owner's group and to others holds secrets (a token, a key), and who may look at a head through its
address need not be a person who may open those. So such files are never told, nor is anything outside of the project.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

from cai_deploy.node.web.body import Body

MOST_PATHS = 50
LARGEST = 1_000_000
"""Bytes."""

OPEN_TO_OTHERS = stat.S_IRGRP | stat.S_IROTH


def read_many(project: Path, data: Any) -> dict[str, Any]:
    """What ``POST /cai-deploy/files`` answers. Raises Refused for a body that is none."""
    paths = Body(data).texts("paths", MOST_PATHS)
    return {"files": {path: read_text(project, path) for path in paths}}


def read_text(project: Path, path: str) -> str | None:
    """The text of one file below ``project``; None for all that is not there, not ours to tell, or too large."""
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        return None
    root = project.resolve()
    try:
        file = (root / path).resolve()
        if not file.is_relative_to(root) or any(_closed(above) for above in file.parents if root in above.parents):
            return None
        # Without waiting, as a pipe would wait for somebody to write into it.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if not stat.S_ISREG(mode) or not mode & OPEN_TO_OTHERS:
                return None
            content = opened.read(LARGEST + 1)
    except (OSError, ValueError, RuntimeError):  # ValueError: a NUL in it; RuntimeError: links in a circle
        return None
    return content.decode("utf-8", errors="replace") if len(content) <= LARGEST else None


def _closed(directory: Path) -> bool:
    return not directory.stat().st_mode & (stat.S_IXGRP | stat.S_IXOTH)
