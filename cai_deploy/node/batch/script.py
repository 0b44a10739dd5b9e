"""A person's program as a process group of its own: run, warned, and ended with all that is in the group.

It knows nothing of Ray. Its output goes where ours does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cai_deploy.errors import DeployError

POLL = 0.05
SIGNALLED = 128
"""Plus the signal's number: how shells tell of a program that a signal ended."""


class NotRunnable(DeployError):
    """The program cannot be started."""


class Script:
    """``argv`` in ``directory``, from now on. Raises NotRunnable."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], directory: Path) -> None:
        try:
            self._process = subprocess.Popen(
                list(argv), env=dict(environ), cwd=directory, stdin=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            raise NotRunnable(
                f"{argv[0] if argv else 'nothing'} cannot be run in {directory}",
                why=str(error),
                next_step="see that the program and the directory are there on all machines of the cluster",
            ) from error

    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        status = self._process.poll()
        return status if status is None or status >= 0 else SIGNALLED - status

    def warn(self) -> int:
        """SIGUSR1 to those of its processes that heed it; how many do. It would end the others at once."""
        heeding = [pid for pid in self._members() if _catches(pid, signal.SIGUSR1)]
        for pid in heeding:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGUSR1)
        return len(heeding)

    def end(self, patience: float) -> int:
        """Ask it to end, end it after ``patience`` seconds, and return its exit status."""
        self._signal(signal.SIGTERM)
        end = time.monotonic() + patience
        while self.status() is None and time.monotonic() < end:
            time.sleep(POLL)
        self._signal(signal.SIGKILL)
        self._process.wait()
        return self.status() or 0

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _members(self) -> Iterator[int]:
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit():
                with contextlib.suppress(OSError):
                    if os.getpgid(int(directory.name)) == self._process.pid:
                        yield int(directory.name)


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for the signal, as the kernel tells."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False
