"""The copy of this program that nodes run: named by what it holds, and complete as soon as it has that name.

Nodes run from a directory of a person's own, in which this program need not be, and an installation that is changed
under way must not change what the nodes of one cluster run.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from functools import cache
from pathlib import Path

import cai_deploy
from cai_deploy import layout

PACKAGE = Path(cai_deploy.__file__).parent
LEFT_OUT = "__pycache__"


@cache
def code_digest(package: Path = PACKAGE) -> str:
    """What ``package`` holds, in sixteen characters."""
    digest = hashlib.sha256()
    for file in sorted(file for file in package.rglob("*") if file.is_file() and LEFT_OUT not in file.parts):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(package).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def copy_code(root: Path, digest: str, package: Path = PACKAGE) -> None:
    """Put the program below ``root``, unless it is there."""
    target = root / layout.code_dir(digest)
    if target.is_dir():
        return
    scratch = target.with_name(f".{digest}.{uuid.uuid4().hex}")
    try:
        shutil.copytree(package, scratch / package.name, ignore=shutil.ignore_patterns(LEFT_OUT))
        scratch.rename(target)
    except OSError:
        shutil.rmtree(scratch, ignore_errors=True)
        if not target.is_dir():  # somebody else was sooner
            raise
