"""The files of a project directory that is simply there, on this machine or on a file system that machines share.

A file is replaced by one that was written beside it, so that a reader on any machine sees the old one or the new one,
and neither in part. Symbolic links are the owner's: read where they lead, replaced and removed as links.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.places.files import Entry

NOT_THERE = (FileNotFoundError, NotADirectoryError)

REMOVALS = 3
"""Somebody else may be removing the same directory, or still write into it."""


class DirectoryTrouble(DeployError):
    """The file system did not do what it was asked."""

    def __init__(self, doing: str, root: Path, error: OSError) -> None:
        super().__init__(
            f"cannot {doing}",
            why=error.strerror or str(error),
            next_step=f"see that {root} is there, has room, and that you may write in it",
        )


@dataclass(frozen=True)
class DirectoryFiles:
    """The files below ``root``, see ``ProjectFiles``."""

    root: Path

    def list(self, path: str) -> builtins.list[Entry]:
        """What is in a directory, by name; what goes while we look is left out."""
        with self._telling("read", path):
            try:
                with os.scandir(self._at(path)) as found:
                    return sorted((entry for each in found for entry in _entry(each)), key=lambda entry: entry.path)
            except NOT_THERE:
                return []

    def exists(self, path: str) -> bool:
        """Whether anything is there."""
        with self._telling("read", path):
            return self._at(path).exists()

    def read_text(self, path: str) -> str | None:
        """The text of a file, None for none."""
        content = self.download_from(path, 0)
        return content if content is None else content.decode("utf-8", errors="replace")

    def download_from(self, path: str, start: int) -> bytes | None:
        """A part of a file, None for none."""
        with self._telling("read", path):
            try:
                with self._file(path).open("rb") as file:
                    file.seek(start)
                    return file.read()
            except NOT_THERE:
                return None

    def upload(self, path: str, content: bytes) -> None:
        """Put content in place of what is there; a file that was its owner's alone stays so."""
        target = self._file(path)
        with self._telling("write", path):
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
            try:
                _write(beside, content, _mode_of(target))
                beside.replace(target)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
            _sync(target.parent)

    def create(self, path: str, content: bytes) -> None:
        """Put content where nothing is."""
        self.upload(path, content)

    def delete(self, path: str) -> None:
        """Remove a file, a link, or a directory with all that is in it."""
        target = self._file(path)
        with self._telling("remove", path):
            for left in reversed(range(REMOVALS)):
                try:
                    if target.is_dir() and not target.is_symlink():
                        shutil.rmtree(target)
                    else:
                        target.unlink()
                except NOT_THERE:
                    # Of a directory, something in it may have gone before we came to it.
                    if not os.path.lexists(target):
                        return
                except OSError:
                    if not left:
                        raise
                else:
                    return

    def rename(self, path: str, to: str) -> bool:
        """Move a file or a directory; False when it is not there."""
        source, target = self._file(path), self._file(to)
        with self._telling("move", path):
            if not os.path.lexists(source):
                return False
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                source.rename(target)
            except FileNotFoundError:
                return False
            _sync(target.parent)
            return True

    def _at(self, path: str) -> Path:
        parts = PurePosixPath(path).parts
        if ".." in parts or PurePosixPath(path).is_absolute() or "\0" in path:
            raise ConfigError(f"{path!r} is not a path below the project's directory", next_step=f"stay in {self.root}")
        return self.root.joinpath(*parts)

    def _file(self, path: str) -> Path:
        target = self._at(path)
        if target == self.root:
            raise ConfigError(f"{path!r} is the project's directory itself", next_step="name a file in it")
        return target

    @contextlib.contextmanager
    def _telling(self, doing: str, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DirectoryTrouble(f"{doing} {self.root / path}", self.root, error) from error


def _entry(found: os.DirEntry[str]) -> Iterator[Entry]:
    with contextlib.suppress(FileNotFoundError):
        is_dir = found.is_dir()
        yield Entry(found.name, is_dir, 0 if is_dir else found.stat().st_size)


def _mode_of(target: Path) -> int | None:
    """The mode that a file has already, None for a new one."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except NOT_THERE:
        return None


def _write(path: Path, content: bytes, mode: int | None) -> None:
    """A new file, closed to others from its first moment where ``mode`` says so."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode & 0o700)
    with os.fdopen(descriptor, "wb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    """Have the names in ``directory`` stand too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
