"""How a worker finds its head: an address it was given, or the connection file, and then a GCS port that answers.

A file may be left over from a head that is gone, so an address counts only once somebody listens there; the file is
read anew at each look, as a head that comes back may have moved.
"""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections.abc import Callable
from pathlib import Path

from cai_deploy import connection
from cai_deploy.connection import ConnectionInfo, OtherVersion
from cai_deploy.errors import ConnectionFileError, DeployError

OTHER_VERSION_PATIENCE = 35.0
"""Seconds for which a head of another version may go on, as one that is being replaced does."""

POLL = 0.1
TELL_EVERY = 10.0
CONNECT_TIMEOUT = 2.0


class NoHead(DeployError):
    """The head was not to be found in time."""


def find_head(given: str, file: Path, timeout: float, tell: Callable[[str], None], stopped: Callable[[], bool]) -> str:
    """The head's GCS address, once it listens; "" when we are told to stop.

    Raises NoHead after ``timeout`` seconds, and OtherVersion for a head that is there and writes another kind of file.
    """
    started = time.monotonic()
    told = started
    limit = f" of {timeout:.0f}" if math.isfinite(timeout) else ""
    while not stopped():
        now = time.monotonic()
        try:
            address, story = look(given, file)
        except OtherVersion as error:
            if now - started > OTHER_VERSION_PATIENCE:
                raise
            address, story = "", str(error)
        if address:
            return address
        if now - started > timeout:
            raise NoHead(
                f"no head after {timeout:.0f} seconds",
                why=story,
                next_step="look at the head's log: python -m cai_deploy logs head",
            )
        if now - told > TELL_EVERY:
            tell(f"waiting for the head: {story} ({now - started:.0f} s{limit})")
            told = now
        time.sleep(POLL)
    return ""


class HeadAddress:
    """Where the head is by now, without asking whether it is there: called again and again by who follows it.

    While the file cannot be read, the head is where it was last.
    """

    def __init__(self, given: str, file: Path) -> None:
        self._given = given
        self._file = file
        self._last = ""

    def __call__(self) -> str:
        with contextlib.suppress(ConnectionFileError, OSError, ValueError):
            info = None if self._given else connection.load(self._file)
            self._last = info.gcs_address if info else self._last
        return self._given or self._last


class LastWord:
    """What the head says of itself by now in ``file``; while that cannot be read, what it said last."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._last: ConnectionInfo | None = None

    def __call__(self) -> ConnectionInfo | None:
        with contextlib.suppress(ConnectionFileError, OSError, ValueError):
            self._last = connection.load(self._file) or self._last
        return self._last


def look(given: str, file: Path) -> tuple[str, str]:
    """The address of a head that listens, or "" with what is missing. Raises OtherVersion as ``find_head`` does."""
    try:
        info = None if given else connection.load(file)
    except OtherVersion as error:
        # Left over from a head that is gone, it is about to be written anew by one that came with us.
        if listens(error.gcs_address):
            raise
        return "", str(error)
    except (ConnectionFileError, ValueError) as error:  # ValueError: bytes that are no text
        return "", str(error)
    address = given or (info.gcs_address if info else "")
    if not address:
        return "", f"{file} is not there yet"
    return (address, "") if listens(address) else ("", f"nobody listens at {address}")


def listens(address: str) -> bool:
    """Whether a TCP connection to ``host:port`` is accepted."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT):
            return True
    except (OSError, ValueError):
        return False
