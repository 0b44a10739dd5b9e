"""A person's program: how it is warned and ended, and what it returns."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cai_deploy.node.batch.script import NotRunnable, Script
from tests.polling import eventually

HEEDS = """
import pathlib, signal, sys, time
signal.signal(signal.SIGUSR1, lambda *a: sys.exit(7))
signal.signal(signal.SIGTERM, lambda *a: sys.exit(8))
pathlib.Path("ready").touch()
while True: time.sleep(0.05)
"""

DEAF = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("ready").touch()
while True: time.sleep(0.05)
"""


def run(directory: Path, *argv: str) -> Script:
    return Script(argv, os.environ, directory)


def ready(directory: Path, text: str) -> Script:
    script = run(directory, sys.executable, "-c", text)
    eventually((directory / "ready").exists)
    return script


@pytest.mark.parametrize(("command", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137)])
def test_what_it_returns(command: str, status: int, tmp_path: Path) -> None:
    script = run(tmp_path, "sh", "-c", command)
    eventually(lambda: script.status() is not None)
    assert script.status() == status
    assert script.end(0) == status


def test_a_program_that_heeds_the_warning_gets_it(tmp_path: Path) -> None:
    script = ready(tmp_path, HEEDS)
    assert script.warn() == 1
    eventually(lambda: script.status() == 7)


def test_below_a_shell_it_gets_it_too_and_the_shell_does_not(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(HEEDS)
    script = run(tmp_path, "sh", "-c", f"{sys.executable} x.py; echo $? > returned; exit 4")
    eventually((tmp_path / "ready").exists)
    assert script.warn() == 1
    eventually(lambda: script.status() == 4)
    assert (tmp_path / "returned").read_text() == "7\n"


def test_a_program_that_knows_of_no_warning_lives_on(tmp_path: Path) -> None:
    script = ready(tmp_path, DEAF)
    assert script.warn() == 0
    assert script.status() is None
    assert script.end(0.1) == 137, "it does not heed SIGTERM either"


def test_it_may_end_in_its_own_way(tmp_path: Path) -> None:
    assert ready(tmp_path, HEEDS).end(20) == 8


def test_what_it_started_goes_with_it(tmp_path: Path) -> None:
    script = run(tmp_path, "sh", "-c", "sleep 600 & echo $! > child; wait")
    child = int(eventually(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().strip()))
    assert script.end(5) == 143
    eventually(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text())


def test_what_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(NotRunnable, match="nothing-of-that-name cannot be run"):
        run(tmp_path, "nothing-of-that-name")
    with pytest.raises(NotRunnable):
        run(tmp_path / "away", "true")
