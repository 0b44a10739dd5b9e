"""How close ``launch`` comes to the raw floor, and what people do today beside it, in one run and in turns.

The floor is the same pods and ``ray start`` commands, all begun at one moment by a shell script. Ours counts from the
command's first moment until it ends, which is when every node is ALIVE and that is written down; the others from
their first pod, with no workspace in between.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Record, Size
from tests.benchmarks.rows import at_most, ratio
from tests.e2e.conftest import Shell, person  # noqa: F401 (a fixture)

RAW = Path(__file__).with_name("raw_start.sh")
FLOOR = "at-once"
TODAY = {
    "one-by-one": "head, then one worker after the other",
    "sleep-10": "10 s fixed sleep in the worker",
    "sleep-30": "30 s fixed sleep in the worker",
}
BESIDE = "`ray start` everywhere at once"
OURS, ALL_ALIVE = "launch", "alive"


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
    took: dict[str, list[float]] = {name: [] for name in (FLOOR, OURS, ALL_ALIVE, *TODAY)}
    for _ in range(size.rounds):
        took[FLOOR].append(raw_start(environment, workers, FLOOR))
        whole, alive = launch(shell, workers)
        took[OURS].append(whole)
        took[ALL_ALIVE].append(alive)
        for how in TODAY:
            took[how].append(raw_start(environment, workers, how))
    nodes, floor = f"1 + {workers} nodes", took[FLOOR]
    record(ratio(f"start of {nodes}: `launch`", took[OURS], BESIDE, floor).toward(at_most(1.15)))
    record(ratio(f"start of {nodes}: `launch`, from the first application", took[ALL_ALIVE], BESIDE, floor))
    for how, words in TODAY.items():
        record(ratio(f"start of {nodes}: {words}", took[how], BESIDE, floor))
        record(ratio(f"start of {nodes}: {words}", took[how], "`launch`", took[OURS]))


def launch(shell: Shell, workers: int) -> tuple[float, float]:
    """Seconds of the whole command, and from the first application until all are ALIVE; the cluster is gone again."""
    began = time.monotonic()
    told = shell.ok("launch", "--workers", str(workers)).stderr
    whole = time.monotonic() - began
    found = re.search(r"ALIVE, ([\d.]+) s after the first application", told)
    assert found
    shell.ok("down")
    return whole, float(found.group(1))


def raw_start(environment: Path, workers: int, how: str) -> float:
    namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    done = subprocess.run(
        [*namespaces, RAW, environment, str(workers), how], capture_output=True, text=True, timeout=400, check=True
    )
    return float(done.stdout.split()[-1])
