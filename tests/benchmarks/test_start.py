"""How close ``launch`` comes to the raw floor: the same pods and ``ray start`` commands, by a shell script, in one run.

Machines differ and are noisy, so the figure is the ratio of medians; both are measured in turns.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Shell, person  # noqa: F401 (a fixture)

RUNS = 5
WORKERS = 2
RAW = Path(__file__).with_name("raw_start.sh")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the raw pods")
def test_launch_against_the_raw_floor(person: Callable[..., Shell]) -> None:  # noqa: F811
    shell = person(pod_mode="root")
    shell.ok("launch", "--workers", str(WORKERS))
    shell.ok("down")
    environment = next((shell.home / "workspace" / "projects").glob("*/.cai-deploy/environments/ray-*/bin")).parent
    ours, floor = [], []
    for _ in range(RUNS):
        floor.append(raw_start(environment))
        ours.append(launch(shell))
    ratio = statistics.median(ours) / statistics.median(floor)
    print(
        f"\n| start of 1 + {WORKERS} nodes | median s | min | max |\n|---|---|---|---|\n"
        f"| raw floor | {figures(floor)} |\n| launch, from the first application | {figures(ours)} |\n"
        f"| ratio of medians | {ratio:.2f} | | |"
    )


def figures(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} | {min(seconds):.1f} | {max(seconds):.1f}"


def launch(shell: Shell) -> float:
    told = shell.ok("launch", "--workers", str(WORKERS)).stderr
    shell.ok("down")
    found = re.search(r"ALIVE, ([\d.]+) s after the first application", told)
    assert found
    return float(found.group(1))


def raw_start(environment: Path) -> float:
    namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    done = subprocess.run(
        [*namespaces, RAW, environment, str(WORKERS)], capture_output=True, text=True, timeout=180, check=True
    )
    return float(done.stdout.split()[-1])
