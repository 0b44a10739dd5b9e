"""This program as archives that a project is given: the whole of it, and the part that runs inside nodes. Pure but for
reading the package.

Each is named by what it holds, so that equal programs are uploaded once, wherever they were installed from. Nodes
have a part of their own, because they are to be started anew when what they run has changed and at no other time.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from cai_deploy import shipped

PACKAGE = shipped.PACKAGE
ROOMS_OF_NODES = ("node", "project")
FILES_OF_NODES = (
    *("access", "carrier", "clock", "connection", "daily_window", "errors", "git_access", "layout", "node_settings"),
    *("redaction", "shell"),
)
MARK_OF_NODES = b'"""The part of cai_deploy that runs inside nodes."""\n'
"""In place of what the package itself begins with: that tells a version, which says nothing of what nodes run."""

LEFT_OUT = ("__pycache__", shipped.INSIDE)
BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive, as their own times tell nothing of what they hold."""

Files = Mapping[str, bytes]


@cache
def whole() -> Files:
    """The package with all of what travels with it that runs, by path."""
    files = {f"{PACKAGE.name}/{path}": content for path, content in _below(PACKAGE)}
    for name in (shipped.LAUNCHERS, shipped.JOBS, shipped.LOCK):
        found = shipped.find(name)
        inside = _below(found) if found.is_dir() else [("", found.read_bytes())]
        files |= {f"{PACKAGE.name}/{shipped.INSIDE}/{name}/{path}".rstrip("/"): content for path, content in inside}
    return files


@cache
def of_nodes() -> Files:
    """The part of the package that nodes need, which runs on the standard library alone."""
    rooms = tuple(f"{PACKAGE.name}/{room}/" for room in ROOMS_OF_NODES)
    single = {f"{PACKAGE.name}/{name}.py" for name in FILES_OF_NODES}
    kept = {path: content for path, content in whole().items() if path.startswith(rooms) or path in single}
    return {**kept, f"{PACKAGE.name}/__init__.py": MARK_OF_NODES}


@cache
def whole_digest() -> str:
    """What ``whole`` holds, in sixteen characters."""
    return digest(whole())


@cache
def node_digest() -> str:
    """What ``of_nodes`` holds, in sixteen characters."""
    return digest(of_nodes())


def digest(files: Files) -> str:
    """What ``files`` hold, in sixteen characters."""
    found = hashlib.sha256()
    for path, content in sorted(files.items()):
        found.update(f"{path}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()[:16]


def pack(files: Files) -> bytes:
    """An archive of ``files``: equal files give equal bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            about = zipfile.ZipInfo(path, BEGINNING)
            about.compress_type = zipfile.ZIP_DEFLATED
            about.external_attr = 0o644 << 16
            archive.writestr(about, content)
    return packed.getvalue()


def _below(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Every file, by its path below ``directory``. Without a Path for each of five hundred, in half the time."""
    for found, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if name not in LEFT_OUT]
        way = Path(found).relative_to(directory).as_posix()
        for name in files:
            if name not in LEFT_OUT:
                with open(f"{found}{os.sep}{name}", "rb") as file:  # noqa: PTH123
                    yield name if way == "." else f"{way}/{name}", file.read()
