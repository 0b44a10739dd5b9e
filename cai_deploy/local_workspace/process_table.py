"""Facts about a process from /proc. Standard library only: both ends of a workspace's start use it."""

from __future__ import annotations

from pathlib import Path


def start_time(pid: int) -> int:
    """When a process started, in clock ticks after boot: with the pid it names one process for good. 0: not alive."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])
