"""When a cluster that nobody uses is to end."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from typing import Any

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.node.batch.idleness import parse

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=timezone.utc)
AT_NIGHT = time(3, 0)


def account(minutes: float | None, *busy: str) -> dict[str, Any]:
    """What the head says of its cluster, idle for so long."""
    since = None if minutes is None else (NOW - timedelta(minutes=minutes)).isoformat()
    return {"busy": list(busy), "idle_since": since, "now": NOW.isoformat()}


@pytest.mark.parametrize(
    ("told", "clients", "now", "ends"),
    [
        (account(61), [], AT_NIGHT, True),
        (account(60), [], AT_NIGHT, True),
        (account(59), [], AT_NIGHT, False),
        (account(61), [], time(2, 29), False),
        (account(61), [], time(2, 30), True),
        (account(61), [], time(9, 0), False),
        (account(61), [], time(15, 0), False),
        (account(61), ["client-7"], AT_NIGHT, False),
        (account(None, "job 1 is running"), [], AT_NIGHT, False),
        (account(61, "it cannot be seen what the cluster does"), [], AT_NIGHT, False),
        (account(None), [], AT_NIGHT, False),
        ({}, [], AT_NIGHT, False),
    ],
)
def test_within_its_part_of_the_day(told: dict[str, Any], clients: list[str], now: time, ends: bool) -> None:
    asked = parse('{"after": 60, "window": "02:30-09:00"}')
    assert asked
    assert bool(asked.why_end(told, clients, now)) is ends


def test_past_midnight_and_by_default() -> None:
    late = parse('{"after": 1, "window": "22:00-06:00"}')
    assert late
    assert "2 minutes, and it is within 22:00-06:00" in late.why_end(account(2), [], time(23, 0))
    assert late.why_end(account(2), [], time(5, 59))
    assert not late.why_end(account(2), [], time(12, 0))
    usual = parse('{"after": 1}')
    assert usual
    assert str(usual.window) == "02:30-09:00"


def test_nobody_asked_for_it() -> None:
    assert parse("") is None


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"after": "soon"}', '{"after": 1, "window": "night"}'])
def test_what_is_not_readable(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)
