"""A part of each day, past midnight too."""

from __future__ import annotations

from datetime import time

import pytest

from cai_deploy.daily_window import parse


@pytest.mark.parametrize(
    ("window", "now", "holds"),
    [
        ("02:30-09:00", time(2, 29, 59), False),
        ("02:30-09:00", time(2, 30), True),
        ("02:30-09:00", time(8, 59, 59), True),
        ("02:30-09:00", time(9, 0), False),
        ("22:00-06:00", time(21, 59), False),
        ("22:00-06:00", time(22, 0), True),
        ("22:00-06:00", time(0, 0), True),
        ("22:00-06:00", time(5, 59), True),
        ("22:00-06:00", time(6, 0), False),
        ("22:00-06:00", time(12, 0), False),
        ("00:00-12:00", time(0, 0), True),
        ("12:00-00:00", time(23, 59), True),
        ("12:00-00:00", time(0, 0), False),
        ("00:00-00:00", time(0, 0), True),
        ("00:00-00:00", time(23, 59), True),
    ],
)
def test_whether_a_time_lies_in_it(window: str, now: time, holds: bool) -> None:
    assert parse(window).holds(now) is holds


@pytest.mark.parametrize("text", ["", "2:30-9:00", "02:30", "24:00-09:00", "02:60-09:00", "02:30 - 09:00", "night"])
def test_what_is_no_window_is_told_with_one_that_is(text: str) -> None:
    with pytest.raises(ValueError, match="02:30-09:00"):
        parse(text)


def test_it_reads_as_it_was_written() -> None:
    assert str(parse("22:00-06:05")) == "22:00-06:05"
