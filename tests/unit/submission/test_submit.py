"""A job is taken once, whatever becomes of the answers."""

from __future__ import annotations

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.submission.jobs import HeadAway, JobsRefusal, Request
from cai_deploy.submission.submit import Taken, already_there, entrypoint_of, new_id, submit
from tests.unit.submission.fake_jobs import AWAY, RUNNING, FakeJobs

REQUEST = Request("j", "python x", {"env_vars": {"A": "s3cret"}})


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def take(jobs: FakeJobs, said: list[str] | None = None) -> Taken:
    return submit(jobs, REQUEST, clock=Clock(), patience=10, say=(said if said is not None else []).append)


def test_it_is_taken() -> None:
    jobs = FakeJobs(submits=[True])
    assert take(jobs) == Taken("j", uploaded=True)
    assert jobs.submitted == [REQUEST]


def test_a_lost_answer_is_looked_for_before_it_is_sent_again() -> None:
    jobs, said = FakeJobs(submits=[AWAY, AWAY, AssertionError("sent once more")], found=[AWAY, RUNNING]), []
    assert take(jobs, said).found is None
    assert len(jobs.submitted) == 2
    assert len(said) == 1


def test_what_did_not_arrive_is_sent_again() -> None:
    jobs = FakeJobs(submits=[AWAY, False], found=[None])
    assert take(jobs) == Taken("j", uploaded=False)


def test_a_head_that_stays_away() -> None:
    jobs = FakeJobs(submits=[AWAY], found=[AWAY])
    with pytest.raises(HeadAway) as caught:
        take(jobs)
    assert caught.value.exit_code == 5
    assert 5 < len(jobs.submitted) < 20


def test_somebody_else_was_quicker_with_the_same_id() -> None:
    jobs = FakeJobs(submits=[JobsRefusal("exists")], found=[RUNNING])
    assert take(jobs).found == RUNNING


def test_a_refusal_is_final() -> None:
    jobs = FakeJobs(submits=[JobsRefusal("no")], found=[None])
    with pytest.raises(JobsRefusal):
        take(jobs)
    assert len(jobs.submitted) == 1


def test_an_id_belongs_to_one_command() -> None:
    jobs = FakeJobs(found=[RUNNING])
    assert already_there(jobs, "j", "python x") == RUNNING
    with pytest.raises(ConfigError, match="taken by another command"):
        already_there(jobs, "j", "python y")
    assert already_there(FakeJobs(found=[None]), "j", "python y") is None


def test_a_request_shows_no_variable() -> None:
    assert "s3cret" not in repr(REQUEST)


def test_words_become_a_shell_line() -> None:
    assert entrypoint_of(["python", "-c", "print('a b')"]) == """python -c 'print('"'"'a b'"'"')'"""
    assert entrypoint_of(["a && b"]) == "a && b"
    assert new_id() != new_id()
