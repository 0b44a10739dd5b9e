"""What is kept of Ray's own logs, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from cai_deploy.node import ray_logs
from cai_deploy.node.ray_logs import LINES, MOST_CHARACTERS, MOST_WORKERS, RayLogs, collect, tail
from tests.polling import eventually


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """The directory of a run of Ray, where its logs stand behind a link."""
    logs = tmp_path / "ray" / "session_1" / "logs"
    logs.mkdir(parents=True)
    (tmp_path / "ray" / "session_latest").symlink_to("session_1")
    return logs


def test_the_end_of_a_log_is_bounded_in_lines_and_bytes(tmp_path: Path) -> None:
    log = tmp_path / "raylet.out"
    log.write_text("".join(f"line {number}\n\n" for number in range(LINES + 50)))
    assert tail(log).splitlines() == [f"line {number}" for number in range(50, LINES + 50)]
    log.write_text("cut off " + "x" * MOST_CHARACTERS + "\nthe end\n")
    assert tail(log) == "the end\n"
    log.write_text("x" * MOST_CHARACTERS * 2)
    assert 0 < len(tail(log)) <= MOST_CHARACTERS
    log.write_text("it failed\n" + "[state-dump] all is well\n" * LINES)
    assert tail(log) == "it failed\n"
    log.write_bytes(b"\xff\n")
    assert tail(log) == "\ufffd\n"
    assert tail(tmp_path / "nothing") == ""


def test_services_and_the_latest_errors_of_workers_are_kept_and_no_credentials(session: Path) -> None:
    (session / "raylet.out").write_text("[I] started\ncloned https://me:secret@example.com/x\n")
    (session / "raylet.err").write_text("")
    (session / "debug_state.txt").write_text("long and of no use")
    for number in range(MOST_WORKERS + 2):
        (session / f"worker-{number}.err").write_text(f"Traceback {number}\n" if number else "")
    kept = collect(session)
    assert kept.startswith("--- raylet.out\n[I] started\n")
    assert "secret" not in kept
    assert "of no use" not in kept
    assert "--- raylet.err" not in kept, "nothing was written there"
    assert kept.count("--- worker-") == MOST_WORKERS
    assert collect(session / "nowhere") == ""


def test_what_runs_and_what_ended_are_two_files(session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_logs, "EVERY", 0.01)
    running, ended = tmp_path / "worker-0.ray.log", tmp_path / "worker-0.ray-ended.log"
    (session / "raylet.out").write_text("first\n")
    logs = RayLogs(tmp_path / "ray", running, ended, print)
    assert eventually(lambda: running.exists() and "first" in running.read_text())
    (session / "raylet.out").write_text("first\nsecond\n")
    assert eventually(lambda: "second" in running.read_text())
    (session / "raylet.out").write_text("first\nsecond\nthe end\n")
    logs.end()
    assert "the end" in ended.read_text()
    assert not running.exists()
    ended.unlink()
    logs.end()
    assert not ended.exists(), "once is enough"


def test_a_cluster_that_was_taken_away_does_not_come_back(session: Path, tmp_path: Path) -> None:
    told: list[str] = []
    (session / "raylet.out").write_text("the end\n")
    gone = tmp_path / "gone"
    RayLogs(tmp_path / "ray", gone / "a", gone / "b", told.append).end()
    assert not gone.exists()
    assert told[0].startswith("Ray's logs cannot be kept")


def test_a_ray_that_wrote_nothing_takes_nothing_away(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    ended.write_text("of the one before")
    RayLogs(tmp_path / "never", tmp_path / "running", ended, print).end()
    assert ended.read_text() == "of the one before"
