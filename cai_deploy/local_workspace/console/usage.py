"""What a workload uses of the machine, from /proc: processor time, memory, processes. Blocking, a few milliseconds.

A process belongs to the workload whose mark it carries or inherits from its parents, as in ``kubelet.members``; the
walls around a pod do not matter, since the machine's own /proc shows what is inside of them too.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cai_deploy.local_workspace.kubelet.members import WORKLOAD_ID

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MARK = f"{WORKLOAD_ID}=".encode()


@dataclass(frozen=True)
class Usage:
    """Processors in use since the last look (since its start at the first one), memory, number of processes."""

    cpu: float
    memory: int
    processes: int


@dataclass(frozen=True)
class Process:
    """One line of the process table."""

    pid: int
    parent: int
    ticks: int
    born: int
    memory: int
    workload: str


class Gauge:
    """Remembers the last look, because processor use is a difference."""

    def __init__(
        self, table: Callable[[], Iterator[Process]] | None = None, clock: Callable[[], float] | None = None
    ) -> None:
        self._table = table or process_table
        self._clock = clock or (lambda: time.clock_gettime(time.CLOCK_BOOTTIME))
        self._last: dict[tuple[int, int], tuple[float, int]] = {}

    def read(self) -> dict[str, Usage]:
        """What each workload uses now."""
        now = self._clock()
        members = _by_workload({each.pid: each for each in self._table()})
        found = {name: self._usage(processes, now) for name, processes in members.items()}
        self._last = {(each.pid, each.born): (now, each.ticks) for group in members.values() for each in group}
        return found

    def _usage(self, processes: list[Process], now: float) -> Usage:
        cpu = 0.0
        for each in processes:
            then, before = self._last.get((each.pid, each.born), (each.born / _TICKS, 0))
            cpu += (each.ticks - before) / _TICKS / max(now - then, 0.05)
        return Usage(cpu, sum(each.memory for each in processes), len(processes))


def _by_workload(table: dict[int, Process]) -> dict[str, list[Process]]:
    found: dict[str, list[Process]] = {}
    for process in table.values():
        owner: Process | None = process
        while owner and not owner.workload:
            owner = table.get(owner.parent)
        if owner:
            found.setdefault(owner.workload, []).append(process)
    return found


def process_table() -> Iterator[Process]:
    """Every process of this machine that we may look into."""
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names are all that is needed
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                yield _process(Path("/proc") / entry)


def _process(directory: Path) -> Process:
    fields = (directory / "stat").read_text(errors="replace").rpartition(")")[2].split()
    workload = ""
    with contextlib.suppress(OSError):
        environ = (directory / "environ").read_bytes()
        workload = next((each[len(_MARK) :].decode() for each in environ.split(b"\0") if each.startswith(_MARK)), "")
    ticks = int(fields[11]) + int(fields[12])
    return Process(int(directory.name), int(fields[1]), ticks, int(fields[19]), int(fields[21]) * _PAGE, workload)
