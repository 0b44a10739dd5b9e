"""Calls in flight: never more than allowed, fewer after a refusal, and nobody is left waiting."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cai_deploy.api.limiter import Limiter
from cai_deploy.errors import ConfigError


def call(limiter, outcome="accepted"):
    with limiter.slot() as slot:
        slot.outcome = outcome


def test_a_refusal_halves_down_to_one():
    limiter = Limiter(10)
    bounds = []
    for _ in range(5):
        call(limiter, "refused")
        bounds.append(limiter.allowed)
    assert bounds == [5, 2, 1, 1, 1]


def test_each_full_round_of_answers_adds_one_up_to_the_limit():
    limiter = Limiter(4)
    call(limiter, "refused")
    bounds = []
    for _ in range(7):
        call(limiter)
        bounds.append(limiter.allowed)
    assert bounds == [2, 3, 3, 3, 4, 4, 4]


def test_a_refusal_begins_the_round_anew():
    limiter = Limiter(4)
    for outcome in ("refused", "accepted", "refused"):
        call(limiter, outcome)
    assert limiter.allowed == 1
    call(limiter)
    assert limiter.allowed == 2


def test_a_broken_call_says_nothing_and_gives_its_slot_back():
    limiter = Limiter(1)
    with pytest.raises(OSError), limiter.slot():
        raise OSError
    call(limiter)
    assert limiter.allowed == 1


def test_refusals_of_one_burst_count_once():
    limiter = Limiter(8)
    together = threading.Barrier(8)

    def refused(_):
        with limiter.slot() as slot:
            together.wait(10)
            slot.outcome = "refused"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(refused, range(8)))
    assert limiter.allowed == 4


@pytest.mark.parametrize(("limit", "refusals", "most"), [(3, 0, 3), (8, 1, 4), (8, 3, 1)])
def test_no_more_than_allowed_are_in_flight_and_all_get_through(limit, refusals, most):
    limiter = Limiter(limit)
    for _ in range(refusals):
        call(limiter, "refused")
    counting = threading.Lock()
    now = peak = 0

    def work(_):
        nonlocal now, peak
        with limiter.slot():  # its outcome stays unknown, so that the bound stays where it is
            with counting:
                now += 1
                peak = max(peak, now)
            time.sleep(0.005)
            with counting:
                now -= 1

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(60)))
    assert peak == most


def test_a_narrowed_bound_lets_those_in_flight_end_and_admits_nobody_meanwhile():
    limiter = Limiter(2)
    entered = threading.Event()
    with limiter.slot():
        with limiter.slot() as refused:
            late = threading.Thread(target=lambda: (call(limiter, "unknown"), entered.set()))
            late.start()
            refused.outcome = "refused"
            assert not entered.wait(0.05)
        assert not entered.wait(0.05)
    late.join(10)
    assert entered.is_set()


def test_slots_come_in_the_order_of_asking():
    limiter = Limiter(1)
    served = []
    threads = []

    def wait_for_turn(number):
        with limiter.slot():
            served.append(number)

    with limiter.slot():
        for number in range(10):
            threads.append(threading.Thread(target=wait_for_turn, args=(number,)))
            threads[-1].start()
            until = time.monotonic() + 10
            while len(limiter._queue) <= number:
                assert time.monotonic() < until
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert served == list(range(10))


def test_a_bound_below_one_is_refused():
    with pytest.raises(ConfigError):
        Limiter(0)
