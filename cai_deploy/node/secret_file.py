"""Files of a project that hold a secret: made once, whole at every moment, and closed to everybody but their owner.

It does not know what the secrets are for.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

OWNER_ONLY = 0o600
POLL = 0.1


def make_once(path: Path, text: str) -> None:
    """Have ``text`` in ``path`` unless there is something. Of two that do so at once, one succeeds and both find it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_closed(scratch, text)
    try:
        _put(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def write_closed(path: Path, text: str) -> None:
    """Write a file that is not there yet."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def comes(read: Callable[[], str], patience: float, stop: threading.Event) -> bool:
    """Whether ``read`` gives something within so many seconds, or we are told to stop meanwhile."""
    end = time.monotonic() + patience
    while not read():
        if stop.wait(POLL):
            return True
        if time.monotonic() > end:
            return False
    return True


def _put(scratch: Path, path: Path) -> None:
    """As the file at ``path``, unless another made one meanwhile; an empty one is none."""
    if path.exists() and not path.read_bytes().strip():
        path.unlink(missing_ok=True)
    try:
        path.hardlink_to(scratch)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links, where two heads at once may take each other's away
        scratch.replace(path)
