"""How close ``launch`` comes to the raw floor, and what people do today beside it, in one run and in turns.

The floor is the same pods and ``ray start`` commands, all begun at one moment by a shell script. Ours counts from the
command's first moment until it ends, which is when every node is ALIVE and that is written down; the others from
their first pod, with no workspace in between.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Record, Size
from tests.benchmarks.cpu_time import NODES, RAY, WORKSPACE, between, cpu_seconds
from tests.benchmarks.rows import at_most, count, ratio
from tests.e2e.conftest import Shell, person  # noqa: F401 (a fixture)

RAW = Path(__file__).with_name("raw_start.sh")
FLOOR = "at-once"
TODAY = {
    "one-by-one": "head, then one worker after the other",
    "sleep-10": "10 s fixed sleep in the worker",
    "sleep-30": "30 s fixed sleep in the worker",
}
BESIDE = "`ray start` everywhere at once"
COMMAND = "the command"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the raw pods")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("workers", [2, 6])
def test_launch_against_the_raw_floor(
    person: Callable[..., Shell],  # noqa: F811
    record: Record,
    size: Size,
    workers: int,
) -> None:
    shell = person(pod_mode="root")
    shell.ok("workspace", "start")  # so that it is there before each launch, as one on the platform is
    launch(shell, workers)
    environment = next((shell.home / "workspace" / "projects").glob("*/.cai-deploy/environments/ray-*/bin")).parent
    ours: list[Launched] = []
    took: dict[str, list[float]] = {how: [] for how in (FLOOR, *TODAY)}
    for _ in range(size.rounds):
        took[FLOOR].append(raw_start(environment, workers, FLOOR))
        ours.append(launch(shell, workers))
        for how in TODAY:
            took[how].append(raw_start(environment, workers, how))
    start, floor, whole = f"start of 1 + {workers} nodes", took[FLOOR], [one.seconds for one in ours]
    cpu = f"{COMMAND} {share(COMMAND, ours):.0%} and {NODES} {share(NODES, ours):.0%} of the CPU time"
    record(ratio(f"{start}: `launch`", whole, BESIDE, floor).toward(at_most(1.15), cpu))
    record(ratio(f"{start}: `launch`, from the first application", [one.to_alive for one in ours], BESIDE, floor))
    for how, words in TODAY.items():
        record(ratio(f"{start}: {words}", took[how], BESIDE, floor))
        record(ratio(f"{start}: {words}", took[how], "`launch`", whole))
    for name in (RAY, NODES, COMMAND, WORKSPACE):
        record(count(f"{start}: CPU time of {name}", *(one.share(name) for one in ours), beside="all CPU time of it"))


@dataclass(frozen=True)
class Launched:
    """One launch: the seconds of the whole command, those from its first application on, and of the processors."""

    seconds: float
    to_alive: float
    cpu: dict[str, float]

    def share(self, name: str) -> float:
        return self.cpu[name] / sum(self.cpu.values())


def share(name: str, ours: list[Launched]) -> float:
    return statistics.median(one.share(name) for one in ours)


def launch(shell: Shell, workers: int) -> Launched:
    """Launch and take down again, with a look at who has spent the processors' time when all are ALIVE."""
    before, command, began = cpu_seconds(shell.processes()), os.times(), time.monotonic()
    told = shell.ok("launch", "--workers", str(workers)).stderr
    seconds, after = time.monotonic() - began, os.times()
    cpu = between(before, cpu_seconds(shell.processes()))
    cpu[COMMAND] = after.children_user + after.children_system - command.children_user - command.children_system
    found = re.search(r"ALIVE, ([\d.]+) s after the first application", told)
    assert found
    shell.ok("down")
    return Launched(seconds, float(found.group(1)), cpu)


def raw_start(environment: Path, workers: int, how: str) -> float:
    namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    done = subprocess.run(
        [*namespaces, RAW, environment, str(workers), how], capture_output=True, text=True, timeout=400, check=True
    )
    return float(done.stdout.split()[-1])
