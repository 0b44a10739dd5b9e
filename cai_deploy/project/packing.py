"""An environment as one archive beside its files, where these are slow to open one by one.

One file is read at the speed of the network, thousands of small ones at that of its round trips. Whether there is to be
an archive is decided here alone, once, by whoever builds the environment: nodes look whether there is one.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path

from cai_deploy import layout
from cai_deploy.project import promptness

READERS = 16
"""Files that are read at once, so that their round trips pass side by side."""

OURS = (layout.COPY_ARCHIVE, layout.COPY_NOTE, layout.READY_MARK)


@dataclass(frozen=True)
class CopyNote:
    """What stands in the note that is written after the archive: what it holds, and how many bytes that are."""

    digest: str
    bytes: int

    @classmethod
    def load(cls, environment: Path) -> CopyNote | None:
        """That of ``environment``, None when it has no archive, or one of a program that packs otherwise."""
        try:
            return cls(**json.loads((environment / layout.COPY_NOTE).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None


def pack_where_slow(environment: Path) -> str:
    """Make the archive if a start from ``environment`` would wait long for its files; "" if it would not, else a story.

    An archive that cannot be made is told, and fails nothing: the environment is as good without.
    """
    waits = promptness.start_waits(environment)
    if waits < promptness.WORTH_A_COPY:
        return ""
    slow = f"files are slow to open here, a start of Ray would wait {waits:.0f} s for them"
    try:
        pack(environment)
    except OSError as error:
        (environment / layout.COPY_ARCHIVE).unlink(missing_ok=True)
        return f"{slow}, and an archive for nodes to copy could not be written: {error}"
    return f"{slow}: nodes make a copy of their own"


def pack(environment: Path) -> None:
    """Make the archive, and the note that tells of it."""
    digest, total = hashlib.sha256(), 0
    files = sorted(path for path in environment.rglob("*") if path.name not in OURS or path.parent != environment)
    with tarfile.open(environment / layout.COPY_ARCHIVE, "w", format=tarfile.GNU_FORMAT) as archive:
        for path, (member, content) in _side_by_side(files, lambda path: _read(path, environment)):
            archive.addfile(member, BytesIO(content))
            digest.update(f"{path.relative_to(environment)}\0{member.linkname}\0{len(content)}\0".encode() + content)
            total += len(content)
    note, scratch = environment / layout.COPY_NOTE, environment / f"{layout.COPY_NOTE}.tmp"
    scratch.write_text(json.dumps(asdict(CopyNote(digest.hexdigest()[:16], total))) + "\n", encoding="utf-8")
    scratch.replace(note)


def _read(path: Path, environment: Path) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(path.relative_to(environment).as_posix())
    known = path.lstat()
    member.mode, member.mtime = known.st_mode & 0o777, int(known.st_mtime)
    if path.is_symlink():
        member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
        return member, b""
    if path.is_dir():
        member.type = tarfile.DIRTYPE
        return member, b""
    content = path.read_bytes()
    member.size = len(content)
    return member, content


def _side_by_side(
    paths: list[Path], read: Callable[[Path], tuple[tarfile.TarInfo, bytes]]
) -> Iterator[tuple[Path, tuple[tarfile.TarInfo, bytes]]]:
    """Everything in its order; no more is in memory than what is read at once."""
    rest = iter(paths)
    with ThreadPoolExecutor(READERS) as pool:
        while some := list(islice(rest, READERS)):
            yield from zip(some, pool.map(read, some), strict=True)
