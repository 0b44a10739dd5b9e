"""Which processes belong to a workload, and how to end them all.

A workload may fork into other sessions and process groups, so neither says who belongs to it. Two marks do: it
descends from the workload's first process (which adopts orphans), and it was started with ``CAI_WORKLOAD_ID`` in its
environment. The second still holds when that first process was killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

WORKLOAD_ID = "CAI_WORKLOAD_ID"
_PROC = Path("/proc")


def descendants(root: int) -> set[int]:
    """All living processes below ``root``, itself left out."""
    parents = dict(_parents())
    found: set[int] = set()
    border = {root}
    while border:
        border = {pid for pid, parent in parents.items() if parent in border} - found
        found |= border
    return found


def marked(workload: str) -> set[int]:
    """All living processes that carry the mark of ``workload``."""
    mark = f"{WORKLOAD_ID}={workload}".encode()
    found = set()
    for pid, _ in _parents():
        with contextlib.suppress(OSError):
            if mark in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found


def end_all(find: Callable[[], set[int]], *, deadline: float = 5.0) -> bool:
    """SIGKILL what ``find`` shows until it shows nothing more; False when some would not go."""
    until = time.monotonic() + deadline
    while pids := find() - {os.getpid()}:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _parents() -> Iterator[tuple[int, int]]:
    """(pid, parent's pid) of each process that is not a zombie."""
    for entry in os.listdir(_PROC):  # noqa: PTH208 - names are all that is needed, thousands of times
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, parent = (_PROC / entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                yield int(entry), int(parent)
