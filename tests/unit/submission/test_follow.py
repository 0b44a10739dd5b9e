"""A job is followed to an end that the cluster told, and every line is written once."""

from __future__ import annotations

import asyncio

import pytest

from cai_deploy.submission.follow import Follower, Pace
from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import HeadAway, JobsRefusal, NoSuchJob
from tests.unit.submission.fake_jobs import AWAY, FAILED, HANG, RUNNING, STOPPED, SUCCEEDED, FakeJobs

QUICK = Pace(look=0.02, again=0.01, patience=0.2, memory=0.1, rest=0.1)
ALL = "one\ntwo\nthree\n"


class Watched:
    def __init__(self, jobs: FakeJobs, pace: Pace = QUICK) -> None:
        self.written: list[str] = []
        self.said: list[str] = []
        self.follower = Follower(jobs, "j", self.written.append, self.said.append, pace)

    def follow(self) -> Job:
        return self.follower.follow()

    @property
    def text(self) -> str:
        return "".join(self.written)


@pytest.mark.parametrize("end", [SUCCEEDED, FAILED, STOPPED])
def test_the_end_is_what_the_cluster_says(end: Job) -> None:
    watched = Watched(FakeJobs(found=[end], tails=[["one\ntwo\n", "three\n"]], outputs=[ALL]))
    assert watched.follow() == end
    assert (watched.text, watched.said) == (ALL, [])


def test_the_end_of_a_tail_is_no_end_of_the_job() -> None:
    jobs = FakeJobs(found=[RUNNING, RUNNING, FAILED], tails=[["one\n"], ["one\ntwo\n"], [ALL]], outputs=[ALL])
    watched = Watched(jobs)
    assert watched.follow() == FAILED
    assert watched.written == ["one\n", "two\n", "three\n"]


@pytest.mark.parametrize("broken", [["one\nt", AWAY], ["one\nt", HANG], [AWAY], []])
def test_nothing_is_lost_or_written_twice_when_the_connection_breaks(broken: list[str | Exception]) -> None:
    jobs = FakeJobs(
        found=[RUNNING, AWAY, AWAY, RUNNING, SUCCEEDED],
        tails=[broken, ["o", "ne\nt", AWAY], ["one\n", "two\nth", HANG]],
        outputs=[ALL],
    )
    watched = Watched(jobs)
    assert watched.follow() == SUCCEEDED
    assert watched.text == ALL


def test_a_tail_that_was_closed_in_good_order_by_somebody_between_loses_nothing() -> None:
    watched = Watched(FakeJobs(found=[SUCCEEDED], tails=[["one\n"]], outputs=[ALL]))
    watched.follow()
    assert watched.text == ALL


def test_much_output_is_not_read_twice_when_its_tail_ended_well() -> None:
    jobs = FakeJobs(found=[SUCCEEDED], tails=[[ALL]], outputs=[AssertionError("read again")])
    watched = Watched(jobs, Pace(look=0.02, again=0.01, cheap=5))
    watched.follow()
    assert watched.text == ALL


def test_a_head_that_was_away_is_told_once_and_what_was_missed_is_read() -> None:
    jobs = FakeJobs(found=[AWAY, AWAY, SUCCEEDED], tails=[["one\n", AWAY]], outputs=[ALL])
    watched = Watched(jobs)
    watched.follow()
    assert watched.text == ALL
    assert len(watched.said) == 2
    assert "status 503" in watched.said[0]


def test_a_head_that_never_returns() -> None:
    watched = Watched(FakeJobs(found=[RUNNING, AWAY], tails=[["one\n", HANG]]))
    with pytest.raises(HeadAway, match="nobody knows how job j is") as caught:
        watched.follow()
    assert caught.value.exit_code == 5
    assert "jobs logs --follow j" in caught.value.next_step
    assert watched.text == "one\n"


def test_a_job_that_nobody_knows() -> None:
    with pytest.raises(NoSuchJob) as caught:
        Watched(FakeJobs(found=[None])).follow()
    assert caught.value.why == ""


def test_a_job_that_is_forgotten_for_a_moment() -> None:
    jobs = FakeJobs(found=[RUNNING, None, None, SUCCEEDED], tails=[[AWAY], [ALL]], outputs=[ALL])
    watched = Watched(jobs)
    assert watched.follow() == SUCCEEDED


def test_a_job_that_is_forgotten_for_good() -> None:
    with pytest.raises(NoSuchJob) as caught:
        Watched(FakeJobs(found=[RUNNING, None], tails=[[AWAY]])).follow()
    assert "anew" in caught.value.why


@pytest.mark.parametrize("error", [AWAY, JobsRefusal("gone"), NoSuchJob("gone")])
def test_output_that_is_gone_with_its_node_is_said_to_be(error: Exception) -> None:
    watched = Watched(FakeJobs(found=[FAILED], tails=[["one\n", AWAY]], outputs=[error]))
    assert watched.follow() == FAILED
    assert len(watched.said) == 1
    assert "cannot be read" in watched.said[0]


def test_a_status_that_we_do_not_know_is_no_end() -> None:
    watched = Watched(FakeJobs(found=[Job("j", "PAUSED"), SUCCEEDED], tails=[[]]))
    assert watched.follow() == SUCCEEDED


def test_who_leaves_and_comes_back_goes_on() -> None:
    jobs = FakeJobs(found=[KeyboardInterrupt(), SUCCEEDED], tails=[["one\n", HANG], [ALL]], outputs=[ALL])
    watched = Watched(jobs)
    with pytest.raises(KeyboardInterrupt):
        watched.follow()
    assert watched.follow() == SUCCEEDED
    assert watched.text == ALL


def test_a_writer_that_fails_ends_it() -> None:
    def broken(text: str) -> None:
        raise BrokenPipeError

    follower = Follower(FakeJobs(found=[RUNNING], tails=[["one\n"]]), "j", broken, print, QUICK)
    with pytest.raises(BrokenPipeError):
        follower.follow()


def test_a_notebook_has_a_loop_already() -> None:
    watched = Watched(FakeJobs(found=[RUNNING, FAILED], tails=[["one\n", AWAY], [ALL]], outputs=[ALL]))

    async def cell() -> Job:
        return watched.follow()

    assert asyncio.run(cell()) == FAILED
    assert watched.text == ALL
