"""Counting, verdicts that are kept, and being held up: with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cai_deploy.local_workspace.faults.ledger import Faults
from cai_deploy.local_workspace.faults.matching import Call
from cai_deploy.local_workspace.faults.rules import Kind, Rule
from cai_deploy.local_workspace.store import Record, Store

LIST = Call("GET", "/api/v2/projects", "/api/v2/projects")
CREATE = Call("POST", "/api/v2/projects", "/api/v2/projects")


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def faults(tmp_path: Path, clock: Time) -> Iterator[Faults]:
    store = Store(tmp_path / "records.sqlite")
    store.put(Record("job", "job1", "p", {"name": "train"}))
    yield Faults(store, clock)
    store.close()


def application(name: str) -> Record:
    return Record("application", f"id-{name}", "p", {"name": name, "subdomain": f"{name}-x"})


def test_calls_are_counted_by_route_whether_spoiled_or_not(faults: Faults) -> None:
    faults.add(Rule(Kind.DROP, method="POST"))
    for call in (LIST, CREATE, LIST):
        faults.on_call(call)
    assert faults.calls() == [
        {"method": "GET", "route": "/api/v2/projects", "count": 2},
        {"method": "POST", "route": "/api/v2/projects", "count": 1},
    ]
    faults.forget_calls()
    assert faults.calls() == []


def test_every_rule_counts_and_the_first_that_happens_is_taken(faults: Faults) -> None:
    second = faults.add(Rule(Kind.DROP, nth=2))
    always = faults.add(Rule(Kind.SLOW))
    kinds = [rule.kind if (rule := faults.on_call(LIST)) else None for _ in range(3)]
    assert kinds == [Kind.SLOW, Kind.DROP, Kind.SLOW]
    assert (second.seen, second.fired) == (3, 1)
    assert (always.seen, always.fired) == (3, 2)


def test_a_rule_runs_out_and_can_be_taken_away(faults: Faults, clock: Time) -> None:
    short = faults.add(Rule(Kind.DROP, duration=5))
    assert faults.on_call(LIST) is short.rule
    clock.now += 5
    assert faults.on_call(LIST) is None
    assert faults.is_over(short)
    assert faults.remove(short.rule.id) is short.rule
    assert faults.remove(short.rule.id) is None
    assert faults.all() == []


def test_a_thing_is_met_once_and_keeps_its_verdict(faults: Faults) -> None:
    standing = faults.add(Rule(Kind.STUCK_STARTING, nth=2))
    verdicts = [bool(faults.strikes(Kind.STUCK_STARTING, application(name))) for name in "abcbab"]
    assert verdicts == [False, True, False, True, False, True]
    assert (standing.seen, standing.fired) == (3, 1)
    assert faults.strikes(Kind.SMALL_SHM, application("b")) is None


def test_a_run_is_meant_by_the_name_of_its_job(faults: Faults) -> None:
    run = Record("run", "run1", "p", {"job_id": "job1"}, {"job_id": "job1"})
    faults.add(Rule(Kind.ENGINE_UNKNOWN, target="tra*"))
    assert faults.strikes(Kind.ENGINE_UNKNOWN, run)


def test_what_is_held_up_goes_on_when_the_rule_goes_when_told_or_when_time_is_over(faults: Faults) -> None:
    async def scene() -> None:
        told = asyncio.Event()
        await faults.hold(Kind.STUCK_STARTING, application("free"), told)

        first = faults.add(Rule(Kind.STUCK_STARTING))
        held = asyncio.create_task(faults.hold(Kind.STUCK_STARTING, application("a"), told))
        await asyncio.wait([held], timeout=0.05)
        assert not held.done()
        second = faults.add(Rule(Kind.STUCK_STARTING))
        faults.remove(first.rule.id)
        await asyncio.wait([held], timeout=0.05)
        assert not held.done(), "another rule holds it still"
        faults.remove(second.rule.id)
        await asyncio.wait_for(held, 1)

        faults.add(Rule(Kind.STUCK_STARTING))
        held = asyncio.create_task(faults.hold(Kind.STUCK_STARTING, application("a"), told))
        told.set()
        await asyncio.wait_for(held, 1)

    asyncio.run(scene())


def test_what_is_held_up_wakes_when_the_rule_runs_out(faults: Faults) -> None:
    async def scene() -> None:
        real = Faults(faults._store)
        real.add(Rule(Kind.STUCK_STARTING, duration=0.05))
        await asyncio.wait_for(real.hold(Kind.STUCK_STARTING, application("a"), asyncio.Event()), 2)

    asyncio.run(scene())
