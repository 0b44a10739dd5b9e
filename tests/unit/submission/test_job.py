"""What the end of a job means for who waits for it."""

from __future__ import annotations

import json

import pytest

from cai_deploy.submission.job import Job


@pytest.mark.parametrize(
    ("status", "driver", "expected"),
    [
        ("SUCCEEDED", 0, 0),
        ("SUCCEEDED", None, 0),
        ("FAILED", 7, 7),
        ("FAILED", 255, 255),
        ("FAILED", -9, 137),
        ("FAILED", None, 1),
        ("FAILED", 0, 1),
        ("STOPPED", None, 143),
        ("STOPPED", 0, 143),
    ],
)
def test_an_end_has_an_exit_code(status: str, driver: int | None, expected: int) -> None:
    job = Job("j", status, driver_exit_code=driver)
    assert (job.ended, job.exit_code) == (True, expected)
    assert job.document()["exit_code"] == expected


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "SOME_NEW_WORD", ""])
def test_what_is_no_end_has_none(status: str) -> None:
    job = Job("j", status)
    assert not job.ended
    with pytest.raises(ValueError, match="no end"):
        _ = job.exit_code
    assert job.document()["exit_code"] is None


def test_a_failure_says_why() -> None:
    assert Job("j", "FAILED", driver_exit_code=3).end_in_words == "job j FAILED: its program ended with 3"
    lost = Job("j", "FAILED", message="a\n\nruntime_env setup failed: no https://me:secret@index\n")
    assert lost.end_in_words.splitlines()[1:] == ["a", "runtime_env setup failed: no https://***@index"]
    assert "no reason" in Job("j", "FAILED").end_in_words
    assert Job("j", "STOPPED", message="x").end_in_words == "job j STOPPED"


def test_the_document_is_json() -> None:
    told = json.loads(json.dumps(Job("j", "RUNNING", "python x", started_ms=5).document()))
    assert (told["submission_id"], told["started_ms"], told["ended_ms"]) == ("j", 5, None)
