"""The workspace's time, between its answers and across their whole seconds."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from cai_deploy.api.server_clock import ServerClock

NOON = 946728000.0


class Passing:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def passing() -> Passing:
    return Passing()


@pytest.fixture
def clock(passing: Passing) -> ServerClock:
    return ServerClock(passing, lambda: 5.0)


def tell(clock, seconds):
    clock.hear(formatdate(seconds, usegmt=True))


@pytest.mark.parametrize("date", ["", "soon", "Sat, 99 Jan 2000 00:00:00 GMT"])
def test_before_the_first_date_it_is_this_machines_time(clock, date):
    clock.hear(date)
    assert clock.now() == 5.0


def test_time_goes_on_between_answers(clock, passing):
    tell(clock, NOON)
    passing.seconds += 7.5
    assert clock.now() == NOON + 7.5


def test_a_date_that_was_cut_to_its_second_does_not_turn_the_time_back(clock, passing):
    tell(clock, NOON)
    passing.seconds += 0.75
    tell(clock, NOON)
    assert clock.now() == NOON + 0.75


def test_a_date_ahead_of_the_count_is_nearer_to_the_truth(clock, passing):
    tell(clock, NOON)
    passing.seconds += 0.25
    tell(clock, NOON + 1)
    assert clock.now() == NOON + 1


def test_a_clock_that_was_set_right_is_followed_both_ways(clock):
    for seconds in (NOON, NOON - 3600, NOON + 3600):
        tell(clock, seconds)
        assert clock.now() == seconds
