"""Processes of a host: whether the very one is there that was meant, and ending those that a node has left.

A process is known by its number and the moment of its start in this boot, as numbers are given out again. One of
several modules that are sent to a host together, see ``host_control``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEPT_BY = "CAI_DEPLOY_KEPT_BY"

PROCESS = "CAI_DEPLOY_PROCESS"
"""Under which a node is told its keeper's number and its host's name, as ``NUMBER.HOST``."""

POLL = 0.1


def lives(record: dict[str, Any]) -> bool:
    """Whether the very keeper that was started is there."""
    pid = record.get("pid", 0)
    return bool(pid) and record.get("boot") == boot() and record.get("began") == began(pid) != ""


def began(pid: int) -> str:
    """When a process began, in the kernel's ticks; "" when it is not there, or has ended."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else rest[18]


def boot() -> str:
    """This boot of this host, as its first process knows it."""
    try:
        identity = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        identity = socket.gethostname()
    return f"{identity}/{began(1)}"


def processes() -> Iterator[tuple[int, int]]:
    """Every process that lives, with its parent."""
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                state, parent = (directory / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                if state != "Z":
                    yield int(directory.name), int(parent)


def end_descendants() -> None:
    """Kill all below this process, again until none is left: a dying process can still start another."""
    while True:
        parents = dict(processes())
        found = {os.getpid()}
        while more := {child for child, parent in parents.items() if parent in found} - found:
            found |= more
        below = found - {os.getpid()}
        if not below:
            return
        for pid in below:
            tell(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(POLL)


def end_all(keeper: str) -> None:
    """Kill every process of a node whose keeper is gone, known by the variable that they all inherit."""
    mark = f"{KEPT_BY}={keeper}".encode()
    for _ in range(50):
        left = [pid for pid, _ in processes() if pid != os.getpid() and mark in environ(pid)]
        if not left:
            return
        for pid in left:
            tell(pid, signal.SIGKILL)
        time.sleep(POLL)


def environ(pid: int) -> list[bytes]:
    """A process's variables as it was started with them, none where they may not be read."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def tell(pid: int, number: int) -> None:
    """Send a signal to a process that may have gone; to its whole group where the number is below zero."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
