"""What becomes of a cluster, as rows: this is specified, that is known, so this is done, for this reason."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from cai_deploy.config import parse
from cai_deploy.hibernation import Activity, Asleep, Decision, Pulse, decide

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
# The head's clock is wrong by a day, which harms nothing: how long it has been idle is told by one clock.
ITS_NOON = NOON - timedelta(days=1)
BOTH = "{watchdog: {}, workers: [{replicas: 4}, {name: gpu}], idle: {scale_down_after: 10, floor: 2, stop_after: 60}}"


def ago(minutes: float) -> datetime:
    return NOON - timedelta(minutes=minutes)


def idle(minutes: float) -> Activity:
    return Activity(ITS_NOON, idle_since=ITS_NOON - timedelta(minutes=minutes))


def busy(*what: str) -> Activity:
    return Activity(ITS_NOON, busy=what)


@pytest.mark.parametrize(
    ("text", "pulse", "what", "why"),
    [
        (BOTH, Pulse(NOON, activity=busy("job a is running", "actor B")), "keep", "job a is running; actor B"),
        (BOTH, Pulse(NOON, activity=None), "keep", "nobody can say whether it is idle"),
        (BOTH, Pulse(NOON, activity=busy()), "keep", "it has only begun to look"),
        (BOTH, Pulse(NOON, activity=idle(9.9)), "keep", "it has had no work for 9.9 minutes"),
        (BOTH, Pulse(NOON, activity=idle(10)), "shrink", "it has had no work for 10 minutes"),
        (BOTH, Pulse(NOON, activity=idle(59)), "shrink", "it has had no work for 59 minutes"),
        (BOTH, Pulse(NOON, activity=idle(60)), "sleep", "it has had no work for 60 minutes"),
        (BOTH, Pulse(NOON, activity=idle(60), newest=ago(5)), "keep", "it has had no work for 5 minutes"),
        (BOTH, Pulse(NOON, activity=idle(60), newest=ago(15)), "shrink", "it has had no work for 15 minutes"),
        ("watchdog: {}", Pulse(NOON, activity=idle(9999)), "keep", "it has had no work for 9999 minutes"),
        (
            "{watchdog: {}, expires_at: 2026-11-21T13:00:00+01:00}",
            Pulse(NOON, activity=busy("job a is running")),
            "sleep",
            "it expired at 2026-11-21T13:00:00+01:00",
        ),
        ("{watchdog: {}, expires_at: 2026-11-21T12:00:01Z}", Pulse(NOON, activity=busy("a")), "keep", "a"),
        (
            "{watchdog: {}, lifetime: 30}",
            Pulse(NOON, oldest=ago(30), newest=ago(1)),
            "sleep",
            "its lifetime of 30 minutes ended at 2026-11-21T12:00:00Z",
        ),
        ("{watchdog: {}, lifetime: 30}", Pulse(NOON, oldest=ago(29), activity=busy("a")), "keep", "a"),
        ("{watchdog: {}, lifetime: 30}", Pulse(NOON), "keep", "nobody can say whether it is idle"),
        (
            BOTH,
            Pulse(NOON, asleep=Asleep(ago(90), "it has had no work for 60 minutes"), activity=busy("a")),
            "rest",
            "asleep since 2026-11-21T10:30:00Z, because it has had no work for 60 minutes",
        ),
    ],
)
def test_what_becomes_of_a_cluster(text: str, pulse: Pulse, what: str, why: str) -> None:
    decision = decide(parse(text), pulse)
    assert (decision.what, decision.why) == (what, why)


def test_a_smaller_cluster_has_the_floor_of_each_group_and_never_more_than_was_wanted() -> None:
    spec = parse(BOTH)
    smaller = decide(spec, Pulse(NOON, activity=idle(10))).spec
    assert [group.replicas for group in smaller.workers] == [2, 1]
    assert smaller.model_copy(update={"workers": spec.workers}) == spec


def test_a_cluster_that_is_kept_is_kept_as_specified() -> None:
    spec = parse(BOTH)
    assert decide(spec, Pulse(NOON)) == Decision("keep", spec, "nobody can say whether it is idle")
