"""A lock between pods that share a directory over NFS, where ``flock`` is not to be trusted.

Making a directory is atomic there. The holder touches it while it works; a holder that died is recognised by a touch
that is too old. Ages are taken from the file system's own clock, as two pods' clocks may differ.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from cai_deploy.errors import DeployError

HEARTBEAT = 5.0
STALE_AFTER = 60.0
POLL = 0.2


class LockHeld(DeployError):
    """Somebody else held the lock until our patience ended."""


class DirectoryLock:
    """``with DirectoryLock(path, timeout=60): ...``; ``timeout`` and ``stale_after`` in seconds."""

    def __init__(self, path: Path, *, timeout: float, stale_after: float = STALE_AFTER) -> None:
        self._path = path
        self._timeout = timeout
        self._stale_after = stale_after
        self._released = threading.Event()
        self._name = f"{socket.gethostname()} pid {os.getpid()} #{id(self):x}"

    def __enter__(self) -> DirectoryLock:
        end = time.monotonic() + self._timeout
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while not self._take():
            if time.monotonic() >= end:
                raise LockHeld(
                    f"{self._path.name} is held by {self._holder() or 'somebody'}",
                    next_step=f"wait for it to end; if it is dead, remove {self._path}",
                )
            holder = self._holder()
            if self._age() > self._stale_after:
                self._break(holder)
            time.sleep(POLL)
        (self._path / "holder").write_text(self._name, encoding="utf-8")
        threading.Thread(target=self._beat, daemon=True, name="lock heartbeat").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        if self._holder() == self._name:  # somebody who took us for dead may hold it by now
            shutil.rmtree(self._path, ignore_errors=True)

    def _take(self) -> bool:
        try:
            self._path.mkdir()
        except FileExistsError:
            return False
        return True

    def _beat(self) -> None:
        while not self._released.wait(HEARTBEAT):
            try:
                os.utime(self._path)
            except FileNotFoundError:
                return

    def _age(self) -> float:
        """Seconds since the holder's last touch, by the clock of the file system that both of us see."""
        probe = self._path.with_name(f".{self._path.name}.{socket.gethostname()}.{os.getpid()}")
        try:
            probe.touch()
            os.utime(probe)
            return probe.stat().st_mtime - self._path.stat().st_mtime
        except FileNotFoundError:
            return 0.0
        finally:
            probe.unlink(missing_ok=True)

    def _break(self, holder: str) -> None:
        """Take a dead holder's lock away by renaming it: of several that try, one succeeds.

        A slow one of them may have got hold of the next holder's lock instead, and then puts it back.
        """
        grave = self._path.with_name(f".{self._path.name}.dead.{socket.gethostname()}.{os.getpid()}")
        try:
            self._path.rename(grave)
            if _read(grave) != holder:
                grave.rename(self._path)
                return
        except OSError:
            return
        shutil.rmtree(grave, ignore_errors=True)

    def _holder(self) -> str:
        return _read(self._path)


def _read(lock: Path) -> str:
    try:
        return (lock / "holder").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
