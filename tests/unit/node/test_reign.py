"""One head at a time: the lock, and who steps down for whom."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cai_deploy import connection
from cai_deploy.connection import ConnectionInfo
from cai_deploy.node import reign
from cai_deploy.node.announcement import last_epoch
from cai_deploy.node.exclusive import Exclusive, StillHeld
from cai_deploy.node.reign import Overtaken, Reign

FIRST = ConnectionInfo("ray", 1, "10.0.0.1", "10.0.0.1:6379", "", "", "", "2.60.0", "3.11.7", "2026-11-21T00:00:00")
NEXT = replace(FIRST, epoch=2, node_address="10.0.0.2", gcs_address="10.0.0.2:6379")

HOLD = """
import sys, threading
from pathlib import Path
from cai_deploy.node.exclusive import Exclusive
lock = Exclusive(Path(sys.argv[1]))
assert lock.take(0, threading.Event(), lambda: None)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clusters/ray/connection.json"


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock; a process never excludes itself."""
    argv = [sys.executable, "-c", HOLD, str(tmp_path / "head.lock")]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def begun(info: ConnectionInfo, file: Path, told: list[str] | None = None) -> Reign:
    head = Reign(info, file, None, (told if told is not None else []).append)
    assert head.begin(threading.Event())
    return head


def test_a_head_steps_down_for_the_next_one(file: Path) -> None:
    first = begun(FIRST, file)
    first.check()
    begun(NEXT, file).check()
    with pytest.raises(Overtaken, match=r"a head with epoch 2 has started at 10\.0\.0\.2, this one has epoch 1"):
        first.check()


def test_of_two_with_one_epoch_one_remains(file: Path) -> None:
    later = replace(NEXT, epoch=1, started_at="2026-11-21T00:00:01")
    first, second = begun(FIRST, file), begun(later, file)
    with pytest.raises(Overtaken):
        first.check()
    second.check()
    connection.write(file, FIRST)
    second.check()
    assert connection.load(file) == later


@pytest.mark.parametrize("text", ['{"version": 1, "clus', "", "\udcff\udcfe", None, replace(FIRST, epoch=0).to_json()])
def test_a_file_that_is_damaged_gone_or_old_is_healed(file: Path, text: str | None) -> None:
    told: list[str] = []
    head = begun(FIRST, file, told)
    file.unlink() if text is None else file.write_bytes(text.encode(errors="surrogateescape"))
    head.check()
    assert connection.load(file) == FIRST
    assert len(told) == 1
    assert told[0].startswith("the connection file is written again: ")


def test_with_its_directory_the_cluster_is_gone(file: Path) -> None:
    head = begun(FIRST, file)
    file.unlink()
    file.parent.rmdir()
    head.check()
    assert not file.parent.exists()


def test_a_damaged_file_has_an_epoch_above_all_that_were_counted(file: Path) -> None:
    assert last_epoch(file, print) == 0
    begun(NEXT, file)
    assert last_epoch(file, print) == 2
    file.write_text("{")
    assert last_epoch(file, print) > 1_000_000_000


def test_the_next_head_waits_until_the_one_before_has_let_go(
    file: Path, tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    timer = threading.Timer(0.3, holder.kill)
    timer.start()
    head = Reign(FIRST, file, Exclusive(tmp_path / "head.lock"), print)
    assert head.begin(threading.Event())
    assert not timer.is_alive()
    assert holder.wait(5)
    head.end()
    head.end()


def test_who_waits_and_is_overtaken_waits_no_more(file: Path, tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    timer = threading.Timer(0.3, connection.write, (file, NEXT))
    timer.start()
    with pytest.raises(Overtaken):
        Reign(FIRST, file, Exclusive(tmp_path / "head.lock"), print).begin(threading.Event())
    assert holder.poll() is None


def test_a_lock_that_stays_held(
    file: Path, tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reign, "LOCK_PATIENCE", 0.1)
    stop = threading.Event()
    head = Reign(FIRST, file, Exclusive(tmp_path / "head.lock"), print)
    with pytest.raises(StillHeld, match="is locked by another process"):
        head.begin(stop)
    stop.set()
    monkeypatch.setattr(reign, "LOCK_PATIENCE", 10)
    assert not head.begin(stop), "told to stop, it stops waiting"
    assert holder.poll() is None


def test_a_head_says_more_and_keeps_saying_it(file: Path) -> None:
    head = begun(FIRST, file)
    said = head.say(warned_at="2026-11-21T01:00:00", successor="18")
    assert connection.load(file) == said == replace(FIRST, warned_at="2026-11-21T01:00:00", successor="18")
    connection.write(file, FIRST)
    head.check()
    assert connection.load(file) == said
