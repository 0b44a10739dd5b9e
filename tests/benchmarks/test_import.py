"""What the command line costs before it does anything, as ratios to Python's own start, and what that imports."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.benchmarks.conftest import Record, Size
from tests.benchmarks.rows import at_most, count, ratio

pytestmark = pytest.mark.short

PYTHON = ["-c", "pass"]
KINDS = {
    "import cai_deploy": (["-c", "import cai_deploy"], 3),
    "--help": (["-m", "cai_deploy", "--help"], 10),
    "--version": (["-m", "cai_deploy", "--version"], 15),
    "launch --help": (["-m", "cai_deploy", "launch", "--help"], None),
}
"""Arguments, and how many times Python's own start they may take."""

HEAVY = ("aiohttp", "asyncssh", "cryptography", "fastapi", "grpc", "ray", "rich", "uvicorn")
VERBS = ("launch", "plan", "status", "scale", "down", "logs")
MODULES = "import sys, json, cai_deploy.cli.{verb}; print(json.dumps(sorted(sys.modules)))"


def test_what_help_costs(record: Record, size: Size) -> None:
    took: dict[str, list[float]] = {kind: [] for kind in ("python", *KINDS)}
    for _ in range(size.of(15, 3)):
        for kind, arguments in (("python", PYTHON), *((kind, each) for kind, (each, _) in KINDS.items())):
            took[kind].append(seconds(arguments))
    for kind, (_, bound) in KINDS.items():
        row = ratio(f"`{kind}`", took[kind], "`python -c pass`", took["python"])
        record(row.toward(at_most(bound)) if bound else row)


def test_what_is_heavy_is_imported_where_it_is_used(record: Record) -> None:
    found = {verb: imported(verb) for verb in VERBS}
    most = max(found.values(), key=len)
    record(count(f"heavy imports of {', '.join(VERBS)} before they need any", len(most)).toward(at_most(0)))
    assert found == {verb: [] for verb in VERBS}


def imported(verb: str) -> list[str]:
    program = MODULES.format(verb=verb)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return sorted({name.partition(".")[0] for name in json.loads(done.stdout)} & set(HEAVY))


def seconds(arguments: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began
