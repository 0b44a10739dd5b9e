"""How a worker finds its head: an address it was given, or the connection file, and then a GCS port that answers.

A file may be left over from a head that is gone, so an address counts only once somebody listens there; the file is
read anew at each look, as a head that comes back may have moved.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from cai_deploy import connection
from cai_deploy.errors import ConnectionFileError, DeployError

POLL = 0.1
TELL_EVERY = 10.0
CONNECT_TIMEOUT = 2.0


class NoHead(DeployError):
    """The head was not to be found in time."""


def find_head(given: str, file: Path, timeout: float, tell: Callable[[str], None], stopped: Callable[[], bool]) -> str:
    """The head's GCS address, once it listens; "" when we are told to stop. Raises NoHead after ``timeout`` seconds."""
    started = time.monotonic()
    told = started
    while not stopped():
        address, story = look(given, file)
        if address:
            return address
        now = time.monotonic()
        if now - started > timeout:
            raise NoHead(
                f"no head after {timeout:.0f} seconds",
                why=story,
                next_step="look at the head's log: python -m cai_deploy logs head",
            )
        if now - told > TELL_EVERY:
            tell(f"waiting for the head: {story} ({now - started:.0f} s of {timeout:.0f})")
            told = now
        time.sleep(POLL)
    return ""


def look(given: str, file: Path) -> tuple[str, str]:
    """The address of a head that listens, or "" with what is missing."""
    try:
        info = None if given else connection.load(file)
    except ConnectionFileError as error:
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
