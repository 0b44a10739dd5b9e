"""A file that one process holds: by a lock that its kernel gives back when it dies, however it dies.

It is to be used only where ``file_system`` found that locks exclude. What is done with a lock that another holds on to
is the caller's matter: this waits, and asks it now and then whether there is still a point in waiting.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from cai_deploy.errors import DeployError

POLL = 0.2


class StillHeld(DeployError):
    """Somebody else held the file until our patience ended."""


class Exclusive:
    """The lock on ``path``, which is made when it is not there. The file itself is never removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def take(self, patience: float, stop: threading.Event, look: Callable[[], None]) -> bool:
        """Hold it; False when told to stop before. ``look`` is called between tries and may raise.

        Raises StillHeld after ``patience`` seconds, OSError where there are no locks at all.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        end = time.monotonic() + patience
        file = self._path.open("ab")
        try:
            while not _lock(file):
                look()
                if time.monotonic() > end:
                    raise StillHeld(
                        f"{self._path} is locked by another process, after {patience:.0f} seconds still",
                        next_step="end the other head; if its machine is gone for good, remove the file",
                    )
                if stop.wait(POLL):
                    return False
            self._file, file = file, None  # type: ignore[assignment]
        finally:
            if file:
                file.close()
        return True

    def release(self) -> None:
        """Give it back; nothing happens when it is not held."""
        if self._file:
            self._file.close()
            self._file = None


def _lock(file: IO[bytes]) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the two words that POSIX has for a lock that is held
        return False
    return True
