"""A second try for tests of real processes: at the end, alone, and told.

Ray, Slurm and Docker have limits of time of their own (15 s for a raylet, 30 s for a session of Ray Client) that no
test can stretch, and a machine that has too much to do fails them. What made a test fail beside others is still there
the moment after, so it is tried again when all others are through, with nothing beside it and with all that it uses
made anew. One that passes then is listed, with what its first try said; a fault of ours fails both.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

REAL = ("e2e", "chaos", "places", "contract", "unit/local_workspace", "unit/node")
"""The folders whose tests start processes and wait for them."""

NO_ACCIDENT = 8
"""Failures; so many have one cause, and it is not that the machine was busy."""

TOLD = 6000
"""Characters of a failure's story."""


@dataclass(frozen=True)
class SecondTry:
    """What became of a test whose first try failed."""

    test: str
    passed: bool
    output: str


def deserving(reports: Iterable[pytest.TestReport], root: Path) -> list[str]:
    """The tests behind these failures that get a second try: those of real processes, unless they are many."""
    failed = list(dict.fromkeys(report.nodeid for report in reports))
    real = [test for test in failed if any(_path(test, root).is_relative_to(TESTS / folder) for folder in REAL)]
    return real if len(failed) < NO_ACCIDENT else []


def try_again(test: str, config: pytest.Config) -> SecondTry:
    """Run ``test`` in a process of its own."""
    options = ["--long"] if config.getoption("--long") else []
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "--one-try", *options, test]
    ran = subprocess.run(command, cwd=config.rootpath, capture_output=True, text=True, check=False)
    return SecondTry(test, ran.returncode == 0, ran.stdout + ran.stderr)


def take_back(failures: list[pytest.TestReport], again: SecondTry) -> list[pytest.TestReport]:
    """Those of ``failures`` that do not count, as the second try passed; the others learn what it said."""
    of_it = [report for report in failures if report.nodeid == again.test]
    if again.passed:
        return of_it
    for report in of_it:
        report.sections.append(("the second try, alone", again.output[-TOLD:]))
    return []


def _path(test: str, root: Path) -> Path:
    return root / test.partition("::")[0]
