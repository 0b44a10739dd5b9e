"""A node's own copy of the shared environment, where that starts sooner than the shared one.

A launcher runs within ``at_hand``, before anything of the environment is loaded. The copy is fetched for at most as
long as the start would otherwise wait for the shared files: whatever the network does, a start takes no more than twice
what it has to. It lies in the machine's temporary directory, named by what it holds; nodes that share a machine share
it, and the last of them takes it away. Nobody relies on one that no living node holds, as it may be half of one.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import layout
from cai_deploy.errors import DeployError
from cai_deploy.project import promptness
from cai_deploy.project.copies import Copies, Held
from cai_deploy.project.packing import CopyNote

BLOCK = 4 * 1024**2

ROOM = 1024**3
"""Bytes that a copy leaves free: Ray puts its sessions and what it spills on the same disk."""

MOUNTS = Path("/proc/self/mountinfo")


class NoCopy(DeployError):
    """This machine gets no copy; the shared environment does as well, only slower."""


@contextmanager
def at_hand(environment: Path, tell: Callable[[str], None], stopped: Callable[[], bool]) -> Iterator[Path]:
    """The environment to run from: a copy of ``environment`` on this machine, or the very same.

    ``stopped`` is asked whether a copy has become pointless.
    """
    held = _copy_of(environment, tell, stopped)
    try:
        yield held.path if held else environment
    finally:
        if held:
            held.leave()


def _copy_of(environment: Path, tell: Callable[[str], None], stopped: Callable[[], bool]) -> Held | None:
    note, began = CopyNote.load(environment), time.monotonic()
    waits = promptness.start_waits(environment) if note else 0.0
    if note is None or waits < promptness.WORTH_A_COPY:
        return None

    def look() -> None:
        if stopped():
            raise NoCopy("the node is to stop")
        if time.monotonic() - began > waits:
            raise NoCopy(f"it was not here after {waits:.0f} s, which is what it would have saved")

    try:
        directory = Path(tempfile.gettempdir())
        _require_room(directory, environment, note.bytes)
        held = Copies(directory).hold(note.digest, _Unpacking(environment, note, look), look)
    except (DeployError, OSError, tarfile.TarError) as error:
        tell(f"no copy of the environment on this machine: {error}; starting from the shared one, which is slow here")
        return None
    took = f"{time.monotonic() - began:.1f} s"
    tell(f"running from a copy of the environment, here after {took}: the shared one would take {waits:.0f} s more")
    return held


def _require_room(directory: Path, environment: Path, needed: int) -> None:
    """Raise NoCopy unless a copy in ``directory`` would be on a disk, another one, with room to spare."""
    if directory.stat().st_dev == environment.stat().st_dev:
        raise NoCopy(f"{directory} is on the same file system")
    if kind_of(directory) in ("tmpfs", "ramfs"):
        raise NoCopy(f"{directory} is in memory, which is the node's")
    blocks = os.statvfs(directory)
    free = blocks.f_bavail * blocks.f_frsize
    if free < needed + ROOM:
        raise NoCopy(f"{directory} has {free / 1e9:.1f} GB left, and it takes {(needed + ROOM) / 1e9:.1f} GB")


def kind_of(directory: Path) -> str:
    """Of its file system, as the kernel calls it."""
    best, kind = -1, ""
    for line in MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
        # "36 35 98:0 /root /mount/point options ... - type source options", spaces in paths as \040
        front, _, back = line.partition(" - ")
        point = Path(front.split()[4].replace("\\040", " "))
        if directory.resolve().is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), back.split()[0]
    return kind


@dataclass(frozen=True)
class _Unpacking:
    """Fills a directory with what the archive of ``environment`` holds."""

    environment: Path
    note: CopyNote
    look: Callable[[], None]

    def __call__(self, scratch: Path, path: Path) -> None:
        """Into ``scratch``, which is going to be ``path``. Raises NoCopy for an archive that is not whole."""
        found = 0
        with tarfile.open(self.environment / layout.COPY_ARCHIVE, "r|", bufsize=BLOCK) as archive:
            for member in archive:
                self.look()
                target = scratch / member.name
                if member.isdir():
                    target.mkdir()
                elif member.issym():
                    target.symlink_to(member.linkname)
                else:
                    self._write(archive, member, target)
                    found += member.size
        if found != self.note.bytes:
            raise NoCopy(f"its archive holds {found} bytes instead of {self.note.bytes}")
        for program in (scratch / "bin").iterdir():
            _move_head(program, self.environment, path)

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        source = archive.extractfile(member)
        with target.open("xb") as file:
            while source and (block := source.read(BLOCK)):
                file.write(block)
                self.look()
            file.flush()
            os.fchmod(file.fileno(), member.mode)
            # Bytecode counts only while it knows the time of its source.
            os.utime(file.fileno(), (member.mtime, member.mtime))


def _move_head(program: Path, environment: Path, path: Path) -> None:
    """A script names its Python by where that was installed."""
    if program.is_symlink():
        return
    with program.open("rb") as file:
        if file.read(2) != b"#!":
            return
    program.write_bytes(program.read_bytes().replace(os.fsencode(environment), os.fsencode(path)))
