"""The lock on a shared directory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cai_deploy.project.lock import DirectoryLock, LockHeld


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """Four processes add to a number, ten times each, and none of them gets in another's way."""
    counter = tmp_path / "n"
    counter.write_text("0")
    program = f"""
from pathlib import Path
from cai_deploy.project.lock import DirectoryLock
n = Path({str(counter)!r})
for _ in range(10):
    with DirectoryLock(Path({str(tmp_path / "lock")!r}), timeout=60):
        value = int(n.read_text())
        n.write_text(str(value + 1))
"""
    workers = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [worker.wait(timeout=90) for worker in workers] == [0, 0, 0, 0]
    assert counter.read_text() == "40"
    assert not (tmp_path / "lock").exists()


def test_a_lock_that_is_held_names_its_holder(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path / "lock", timeout=1), pytest.raises(LockHeld, match=f"pid {os.getpid()}"):
        DirectoryLock(tmp_path / "lock", timeout=0.3).__enter__()


def test_a_dead_holder_is_got_over(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.mkdir()
    old = time.time() - 100
    os.utime(lock, (old, old))
    with DirectoryLock(lock, timeout=5, stale_after=10):
        assert lock.exists()
    assert not lock.exists()


def test_who_lost_the_lock_does_not_take_it_from_the_next_holder(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path / "lock", timeout=1)
    first.__enter__()
    os.utime(tmp_path / "lock", (0, 0))
    second = DirectoryLock(tmp_path / "lock", timeout=5, stale_after=10)
    second.__enter__()
    first.__exit__(None, None, None)
    assert (tmp_path / "lock").exists()
    second.__exit__(None, None, None)
    assert not (tmp_path / "lock").exists()
