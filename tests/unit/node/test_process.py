"""Ending a process with everything that it left behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cai_deploy.node.process import shortage_in

RUN = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from cai_deploy.node.process import RayProcess
    script = sys.argv[1]
    process = RayProcess(["bash", "-c", script], {"PATH": "/usr/bin:/bin"}, Path("/"), lambda line: None)
    end = time.monotonic() + 10
    while len(process.last_lines) < 1 and time.monotonic() < end:
        time.sleep(0.02)
    started = time.monotonic()
    process.stop(1.0)
    print(f"{time.monotonic() - started:.2f} {' '.join(process.last_lines)}")
    """
)


def stop(script: str) -> tuple[float, list[int]]:
    """Run ``script`` as Ray, stop it, and return the seconds it took and the pids that it printed."""
    done = subprocess.run([sys.executable, "-c", RUN, script], capture_output=True, text=True, timeout=60, check=True)
    seconds, *pids = done.stdout.split()
    return float(seconds), [int(pid) for pid in pids]


def gone(pid: int) -> bool:
    """Whether no living process has ``pid``."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_where_it_writes_there_may_be_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shortage_in(str(tmp_path)) == ""
    assert shortage_in(str(tmp_path / "gone")) == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=4096))
    assert shortage_in(str(tmp_path)) == f"No space left on device: 0.0 MB are free in {tmp_path}"


def test_a_program_that_obeys_ends_at_once() -> None:
    seconds, pids = stop("echo $$; exec sleep 1000")
    assert seconds < 1.0
    assert all(gone(pid) for pid in pids)


def test_one_that_ignores_sigterm_is_killed_after_the_deadline() -> None:
    seconds, pids = stop("trap '' TERM; echo $$; while true; do sleep 0.1; done")
    assert seconds >= 1.0
    assert all(gone(pid) for pid in pids)


def test_a_grandchild_in_a_session_of_its_own_is_ended_too() -> None:
    _, pids = stop("setsid sleep 1000 & echo $$ $!; wait")
    deadline = time.monotonic() + 5
    while not all(gone(pid) for pid in pids):
        assert time.monotonic() < deadline, f"one of {pids} is left"
        time.sleep(0.05)
