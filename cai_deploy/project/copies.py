"""Directories that processes of one machine share, made by the first and taken away by the last of them.

Each has a lock file beside it, which its maker holds alone and all that use it hold together. Kernels give locks back
however their holders die, so a directory that nobody holds has lost its holders, and is removed by whoever comes next.
It does not know what is in them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cai_deploy.errors import DeployError

POLL = 0.1

Make = Callable[[Path, Path], None]
"""Fills the first directory, which then becomes the second."""


@dataclass(frozen=True)
class Held:
    """A directory that is there until this is left."""

    path: Path
    lock: IO[bytes]

    def leave(self) -> None:
        """Let it go. The last one removes it."""
        with self.lock:
            if _locked(self.lock, fcntl.LOCK_EX):
                _remove(self.path, Path(self.lock.name))


class Copies:
    """The directories of this user below ``parent``, where everybody may have some."""

    def __init__(self, parent: Path) -> None:
        self._root = parent / f"cai-deploy-{os.getuid()}"

    def hold(self, name: str, make: Make, look: Callable[[], None]) -> Held:
        """The directory ``name``, made if need be. ``look`` is called while another process makes it, and may raise."""
        self._root.mkdir(mode=0o700, exist_ok=True)
        self._require_own()
        self._sweep(name)
        path, key = self._root / name, self._root / f"{name}.lock"
        while True:
            with ExitStack() as stack:
                lock = stack.enter_context(key.open("ab"))
                if _locked(lock, fcntl.LOCK_EX) and _is(lock, key):
                    self._make(path, key, make)
                if self._shares(lock, key, look) and path.is_dir():
                    stack.pop_all()
                    return Held(path, lock)
            time.sleep(POLL)

    def _make(self, path: Path, key: Path, make: Make) -> None:
        _clear(path)
        scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        scratch.mkdir()
        try:
            make(scratch, path)
            scratch.rename(path)
        except BaseException:
            _remove(path, key)
            raise

    def _shares(self, lock: IO[bytes], key: Path, look: Callable[[], None]) -> bool:
        """Wait for whoever makes it; False when the lock file is not the one any more that all others look at."""
        while not _locked(lock, fcntl.LOCK_SH):
            look()
            time.sleep(POLL)
        return _is(lock, key)

    def _sweep(self, name: str) -> None:
        """Remove all others that nobody holds."""
        for key in self._root.glob("*.lock"):
            if key.stem == name:
                continue
            with key.open("ab") as lock:
                if _locked(lock, fcntl.LOCK_EX) and _is(lock, key):
                    _remove(key.with_suffix(""), key)

    def _require_own(self) -> None:
        """What is run from here must be nobody else's to write."""
        known = self._root.lstat()
        if self._root.is_symlink() or known.st_uid != os.getuid() or known.st_mode & 0o077:
            raise DeployError(f"{self._root} is not this user's alone")


def _locked(lock: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(lock: IO[bytes], key: Path) -> bool:
    """Whether ``key`` is still the file that was locked."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), key.stat())
    except FileNotFoundError:
        return False


def _remove(path: Path, key: Path) -> None:
    _clear(path)
    key.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    for old in (path, *path.parent.glob(f"{path.name}.*.part")):
        shutil.rmtree(old, ignore_errors=True)
