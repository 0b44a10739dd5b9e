"""Who spends the processors' time while a cluster starts: Ray, what of ours runs beside it in each pod, the workspace.

A process counts with those of its children that have ended and that it has waited for, so that nothing is left out and
nothing counts twice. Whose a process is, its command line tells.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

RAY, NODES, WORKSPACE = "Ray's own processes", "the nodes' agents", "the local workspace and its pods"
SIGNS = {WORKSPACE: ("cai_deploy.local_workspace", "local_workspace/engine.py"), NODES: ("-m cai_deploy.node ",)}

Spent = Mapping[tuple[int, str], float]
"""Seconds so far, by process and whose it is."""


def cpu_seconds(processes: Iterable[int]) -> Spent:
    """What each of ``processes`` of a workspace has taken so far; one that has just ended is left out."""
    found = {}
    for process in processes:
        try:
            command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[process, whose(command)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return found


def whose(command: str) -> str:
    """Whose process it is that was started by ``command``."""
    return next((name for name, signs in SIGNS.items() if any(sign in command for sign in signs)), RAY)


def between(before: Spent, after: Spent) -> dict[str, float]:
    """What was taken between the two, by whose it is."""
    spent: dict[str, float] = defaultdict(float)
    for (process, name), seconds in after.items():
        spent[name] += seconds - before.get((process, name), 0)
    return spent
