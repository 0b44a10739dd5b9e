"""One head at a time: who has the highest epoch reigns, and the lock on the store tells when the one before has let go.

A head says at its start that it reigns: it writes the connection file, one epoch above the one that it found. The head
before, if it still lives, sees that within a second, ends its Ray and gives the lock back. Only then is Ray started
here. Two that found the same epoch are told apart by the time of their start, and by their address.

The file is the word of the one who reigns: when it is older than ours, damaged or gone, it is written again, as workers
follow it. Nothing is said here of Ray, or of what the lock protects.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cai_deploy import connection
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConnectionFileError, DeployError
from cai_deploy.node.exclusive import Exclusive

LOCK_PATIENCE = 150.0
"""Seconds. A file server that lost a whole machine gives its locks back after 90, its usual lease."""


class Overtaken(DeployError):
    """A newer head of this cluster has started."""


class Reign:
    """The reign of the head that ``info`` announces in ``file``. ``lock`` is None where locks exclude nobody."""

    def __init__(self, info: ConnectionInfo, file: Path, lock: Exclusive | None, tell: Callable[[str], None]) -> None:
        self._info = info
        self._file = file
        self._lock = lock
        self._tell = tell
        self._writing = threading.Lock()

    def begin(self, stop: threading.Event) -> bool:
        """Announce it, and wait for the head before to let go; False when told to stop meanwhile.

        Raises Overtaken, and StillHeld when the head before does not let go.
        """
        connection.write(self._file, self._info)
        if self._lock and not self._lock.take(LOCK_PATIENCE, stop, self.check):
            return False
        self.check()
        return True

    def check(self) -> None:
        """Raise Overtaken when a newer head has announced itself; heal the file when it is not ours."""
        try:
            with self._writing:
                ours, found = self._info, connection.load(self._file)
        except (ConnectionFileError, ValueError) as error:  # ValueError: bytes that are no text
            self._heal(str(error))
        except OSError:
            return  # The file system is away, which the head can do without.
        else:
            if found is None:
                # With its directory, the whole cluster has been taken away, and we are about to be.
                if self._file.parent.is_dir():
                    self._heal("it was gone")
            elif _rank(found) > _rank(ours):
                raise Overtaken(
                    f"overtaken: a head with epoch {found.epoch} has started at {found.node_address}, "
                    f"this one has epoch {ours.epoch}",
                    next_step="nothing, if that head is the one you want; else end it, and start this one again",
                )
            elif found != ours:
                self._heal(f"it was that of epoch {found.epoch} at {found.gcs_address}")

    def say(self, **words: Any) -> ConnectionInfo:
        """Have the file say this too, by the names that ConnectionInfo has for it; all that it says now."""
        with self._writing:
            self._info = replace(self._info, **words)
        self._write()
        return self._info

    def end(self) -> None:
        """Let the next one reign."""
        if self._lock:
            self._lock.release()

    def _heal(self, why: str) -> None:
        self._tell(f"the connection file is written again: {why}")
        self._write()

    def _write(self) -> None:
        try:
            with self._writing:
                connection.write(self._file, self._info)
        except OSError as error:
            self._tell(f"the connection file cannot be written: {error}")


def _rank(info: ConnectionInfo) -> tuple[int, str, str]:
    return info.epoch, info.started_at, info.gcs_address
