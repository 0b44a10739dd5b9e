"""Ray as a process of ours: started in a group of its own, followed line by line, and ended with all that it started.

Never ``ray stop``: that ends every Ray that it can see, other people's too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
KEPT_LINES = 30
VITAL = {"gcs_server", "raylet"}

TOO_LITTLE = 10_000_000
"""Bytes of free disk. With less, some of Ray's programs end as they cannot write their logs, and so say nothing."""

POLL = 0.05


class RayProcess:
    """``ray start --block``. ``tell`` hears each line that it prints."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, tell: Callable[[str], None]) -> None:
        adopt_orphans()
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._tell = tell
        self._scratch = env.get("TMPDIR", tempfile.gettempdir())
        self._process = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._listen, daemon=True, name="ray's output").start()

    def ended(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    def services(self) -> set[str]:
        """Which of Ray's two vital services run below it."""
        below = set(_descendants(self._process.pid))
        return {name for pid, _, name in _living() if pid in below} & VITAL

    def shortage(self) -> str:
        """What it lacks where it writes, "" where there is room."""
        return shortage_in(self._scratch)

    def stop(self, patience: float) -> None:
        """Ask it to drain and end, for ``patience`` seconds; then end every process that it left behind."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        end = time.monotonic() + patience
        while self.ended() is None and time.monotonic() < end:
            time.sleep(POLL)
        kill_descendants()
        self._process.wait()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            if line.strip():
                self.last_lines.append(line.rstrip())
                self._tell(f"ray: {line.rstrip()}")


def shortage_in(directory: str) -> str:
    """That there is hardly any room in ``directory``, "" when there is."""
    try:
        free = shutil.disk_usage(directory).free
    except OSError:
        return ""
    return f"No space left on device: {free / 1e6:.1f} MB are free in {directory}" if free < TOO_LITTLE else ""


def adopt_orphans() -> None:
    """Make this process the parent of what its children leave behind, so that nothing escapes the last round."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_descendants() -> None:
    """SIGKILL every descendant, again until none is left: a dying process can still start another."""
    while descendants := _descendants(os.getpid()):
        for pid in descendants:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        time.sleep(POLL)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _descendants(pid: int) -> list[int]:
    """Living processes below ``pid``, zombies left out."""
    parents = {child: parent for child, parent, _ in _living()}
    found = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return sorted(found - {pid})
        found |= more


def _living() -> list[tuple[int, int, str]]:
    """Every living process as (pid, its parent, its name)."""
    processes = []
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # "pid (name) state parent ...", where a name may hold spaces and brackets
            front, _, rest = (directory / "stat").read_text().rpartition(")")
            state, parent = rest.split()[:2]
            if state != "Z":
                processes.append((int(directory.name), int(parent), front.partition("(")[2]))
    return processes
