"""Directories that processes share: several processes for real, and one that is killed while it makes one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cai_deploy.errors import DeployError
from cai_deploy.project.copies import Copies
from tests.polling import eventually

ANOTHER = """
import sys, time
from pathlib import Path
from cai_deploy.project.copies import Copies
def make(scratch, path):
    (scratch / "made").write_text("by another")
    print("making", flush=True)
    if sys.stdin.readline() == "fail":
        raise OSError("no more room")
held = Copies(Path(sys.argv[1])).hold("one", make, lambda: None)
print("holds", flush=True)
sys.stdin.readline()
held.leave()
"""


def another(parent: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ANOTHER, str(parent)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def heard(process: subprocess.Popen[str], line: str = "\n") -> str:
    """What it says next, after it was told to go on."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(line)
    process.stdin.flush()
    return process.stdout.readline().strip()


def fill(scratch: Path, path: Path) -> None:
    (scratch / "made").write_text(f"for {path.name}")


def nothing() -> None:
    """Nobody looks."""


def left(parent: Path) -> list[str]:
    return sorted(path.name for path in (parent / f"cai-deploy-{os.getuid()}").iterdir())


def test_the_last_one_takes_it_away(tmp_path: Path) -> None:
    first = Copies(tmp_path).hold("one", fill, nothing)
    second = Copies(tmp_path).hold("one", lambda scratch, path: pytest.fail("it is there"), nothing)
    assert first.path == second.path
    assert (first.path / "made").read_text() == "for one"
    first.leave()
    assert second.path.is_dir()
    second.leave()
    assert left(tmp_path) == []


def test_a_second_process_waits_for_the_first(tmp_path: Path) -> None:
    with another(tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == "making\n"
        looked: list[str] = []

        def look() -> None:
            looked.append("waiting")
            if len(looked) == 3:
                assert heard(process) == "holds"

        held = Copies(tmp_path).hold("one", fill, look)
        assert (held.path / "made").read_text() == "by another"
        held.leave()
        assert held.path.is_dir(), "the other one is still there"
        process.communicate("\n", timeout=10)
    assert left(tmp_path) == []


def test_what_a_killed_one_leaves_is_made_anew(tmp_path: Path) -> None:
    with another(tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == "making\n"
        process.kill()
    assert len(left(tmp_path)) == 2, "the lock and half a directory"
    held = Copies(tmp_path).hold("one", fill, nothing)
    assert (held.path / "made").read_text() == "for one"
    held.leave()
    assert left(tmp_path) == []


def test_whoever_comes_next_removes_what_nobody_holds(tmp_path: Path) -> None:
    with another(tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == "making\n"
        assert heard(process) == "holds"
        Copies(tmp_path).hold("other", fill, nothing).leave()
        assert left(tmp_path) == ["one", "one.lock"], "that one is held"
        process.kill()
    Copies(tmp_path).hold("other", fill, nothing).leave()
    assert left(tmp_path) == []


def test_nothing_is_left_of_one_that_could_not_be_made(tmp_path: Path) -> None:
    def fails(scratch: Path, path: Path) -> None:
        (scratch / "half").touch()
        raise OSError("no more room")

    with pytest.raises(OSError, match="no more room"):
        Copies(tmp_path).hold("one", fails, nothing)
    assert left(tmp_path) == []


def test_who_waits_may_lose_patience(tmp_path: Path) -> None:
    def impatient() -> None:
        raise DeployError("that takes too long")

    with another(tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == "making\n"
        with pytest.raises(DeployError, match="that takes too long"):
            Copies(tmp_path).hold("one", fill, impatient)
        assert heard(process) == "holds"
        process.communicate("\n", timeout=10)
    eventually(lambda: left(tmp_path) == [])


def test_nothing_is_run_from_where_others_may_write(tmp_path: Path) -> None:
    root = tmp_path / f"cai-deploy-{os.getuid()}"
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(DeployError, match="is not this user's alone"):
        Copies(tmp_path).hold("one", fill, nothing)
