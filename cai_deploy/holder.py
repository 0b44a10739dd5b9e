"""Who changes something: told to those who have to wait, and known again by those who could take over.

A holder on this very machine that is gone need not be waited for; of one elsewhere nobody here can tell. A process is
known by its number and the moment of its start, as numbers are given out again. It must not know where claims are kept.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Holder:
    """A process: ``who`` in words, ``purpose`` as a verb, ``machine`` and ``started`` to tell it from all others."""

    who: str
    purpose: str
    machine: str
    pid: int
    started: str

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self)) + "\n"

    def __str__(self) -> str:
        return f"{self.who}, {self.purpose}, process {self.pid}"


def this_process(purpose: str) -> Holder:
    """The holder that we are."""
    pid = os.getpid()
    return Holder(f"{_user()}@{platform.node()}", purpose, _machine(), pid, _started(pid))


def parse(text: str) -> Holder | None:
    """A holder's text, None when it is none of ours."""
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None


def is_gone(holder: Holder) -> bool:
    """Whether it has ended for certain. False for one on another machine, or in another container of this one."""
    if holder.machine != _machine():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it is somebody else's, and there
    return _started(holder.pid) != holder.started


def _machine() -> str:
    """This boot of this machine, and the PID namespace in which its numbers count."""
    try:
        return f"{BOOT_ID.read_text(encoding='ascii').strip()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return platform.node()


def _started(pid: int) -> str:
    """When a process was started, in the kernel's ticks; "" where that cannot be known."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
