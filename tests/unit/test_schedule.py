"""What people write of what is to happen by the clock, and what they are told when it is wrong."""

from __future__ import annotations

import sys
import zoneinfo
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from cai_deploy.config import parse
from cai_deploy.errors import ConfigError
from cai_deploy.spec import ClusterSpec, Schedule
from cai_deploy.spec.schedule import next_time

ALL = """
schedule:
  timezone: Europe/Berlin
  refresh: "30   2 * * *"
  office_hours: {start: "0 8 * * 1-5", stop: "0 18 * * MON-FRI", timezone: Asia/Tokyo}
  jobs:
  - {name: more, does: scale, cron: "0 20 * * *", arguments: --workers=8}
  - {name: train, does: submit, after: refresh, arguments: -- python train.py}
"""


def test_everything_is_an_entry_at_its_times_in_its_zone() -> None:
    entries = parse(ALL).schedule.entries
    assert [(each.name, each.does, each.cron, each.timezone, each.after) for each in entries] == [
        ("refresh", "refresh", "30 2 * * *", "Europe/Berlin", None),
        ("start", "launch", "0 8 * * 1-5", "Asia/Tokyo", None),
        ("stop", "sleep", "0 18 * * MON-FRI", "Asia/Tokyo", None),
        ("more", "scale", "0 20 * * *", "Europe/Berlin", None),
        ("train", "submit", None, None, "refresh"),
    ]
    assert entries[0].stages == ("refresh-git-sync", "refresh-setup", "refresh-launch")
    assert entries[1].stages == ("start",)


def test_what_is_kept_is_what_was_written() -> None:
    spec = parse(ALL)
    again = parse(spec.to_json())
    assert (again, again.to_json()) == (spec, spec.to_json())
    assert "schedule" not in ClusterSpec().to_json(), "off by default"


@pytest.mark.parametrize(
    ("schedule", "sleeps"),
    [
        ("{}", False),
        ("{refresh: '0 0 * * *'}", False),
        ("{office_hours: {start: '0 8 * * *', stop: '0 18 * * *'}}", True),
        ("{jobs: [{name: a, does: sleep, cron: '0 18 * * *'}]}", True),
    ],
)
def test_whether_it_puts_the_cluster_to_sleep(schedule: str, sleeps: bool) -> None:
    assert parse(f"schedule: {schedule}").schedule.sleeps is sleeps


JOB = "schedule: {jobs: [{name: a, does: launch, %s}]}"
TWO = "schedule: {jobs: [{name: a, does: launch, after: b}, {name: b, does: launch, %s}]}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("schedule: {refresh: '2 * * *'}", "schedule.refresh: a schedule has five fields: minute, hour, day of the"),
        ("schedule: {refresh: '61 2 * * *'}", "schedule.refresh: no such times: Bad minute, not '61 2 * * *'"),
        (
            "schedule: {timezone: Mars/North}",
            "schedule.timezone: there is no such time zone; write it as Europe/Berlin",
        ),
        ("schedule: {timezone: ../../etc/passwd}", "schedule.timezone: there is no such time zone"),
        ("schedule: {timezone: Europe}", "schedule.timezone: there is no such time zone"),
        ("schedule: {nightly: '0 0 * * *'}", "schedule.nightly: unknown key; allowed: "),
        ("schedule: {office_hours: {start: '0 8 * * *'}}", "schedule.office_hours.stop: Field required"),
        (JOB % "timeout: 5", "schedule.jobs[0]: a needs either `cron` or `after`"),
        (JOB % "cron: '0 0 * * *', after: b", "schedule.jobs[0]: a needs either `cron` or `after`"),
        (JOB % "after: b, timezone: UTC", "schedule.jobs[0]: a follows b: it has no times, and so no timezone"),
        (JOB % "after: b", "schedule: a follows 'b', and there are only a"),
        (JOB % "after: a", "schedule.jobs: a follows itself"),
        (TWO % "after: a", "schedule.jobs: a follows itself"),
        ((TWO % "cron: '0 0 * * *'").replace("name: b", "name: a"), "schedule: two jobs are called 'a'"),
        (JOB % "cron: '0 0 * * *', retries: 11", "schedule.jobs[0].retries: must be less than or equal to 10"),
        (JOB % "cron: '0 0 * * *', arguments: \"'\"", "schedule.jobs[0]: arguments of a: No closing quotation"),
        (
            "schedule: {jobs: [{name: a, does: scale, cron: '0 0 * * *'}]}",
            "schedule.jobs[0]: a does not say how many: arguments: --workers N",
        ),
        (
            "schedule: {jobs: [{name: a, does: submit, cron: '0 0 * * *'}]}",
            "schedule.jobs[0]: a does not say what: arguments: -- COMMAND",
        ),
        ("schedule: {jobs: [{name: a, does: down, cron: '0 0 * * *'}]}", "schedule.jobs[0].does: must be 'refresh',"),
        (
            "schedule: {refresh: '0 0 * * *', jobs: [{name: refresh-setup, does: launch, cron: '0 0 * * *'}]}",
            "schedule: two jobs are called 'refresh-setup'",
        ),
        ("{place: slurm, schedule: {refresh: '0 0 * * *'}}", "schedule: not on slurm, which has no jobs by the clock"),
        ("{place: compose, schedule: {refresh: '0 0 * * *'}}", "schedule: not on compose, which has no jobs"),
        (
            "{place: ssh, hosts: [{address: a}], schedule: {refresh: '0 0 * * *'}}",
            "schedule: not on ssh, which has no jobs by the clock; have cron call `python -m cai_deploy`",
        ),
        ("watchdog: {schedule: '* * * * 9'}", "watchdog.schedule: no such times: Bad day-of-week"),
    ],
)
def test_what_cannot_be_is_said_with_its_path(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.why.startswith(told)


def test_other_places_take_a_time_zone_without_times() -> None:
    assert parse("{place: slurm, schedule: {timezone: UTC}}").schedule == Schedule()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without a library for cron, and without time zones."""
    loaded = [name for name in sys.modules if name.startswith("tzdata.zoneinfo")]
    for name in ("cronsim", "tzdata", "tzdata.zoneinfo", *loaded):
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.usefixtures("bare")
def test_what_was_looked_at_where_it_was_written_is_read_where_nothing_knows_of_it() -> None:
    with pytest.raises(zoneinfo.ZoneInfoNotFoundError):
        zoneinfo.ZoneInfo("UTC")
    spec = parse(ALL + "watchdog: {schedule: '0 * * * *'}")
    assert [each.timezone for each in spec.schedule.entries][:2] == ["Europe/Berlin", "Asia/Tokyo"]
    with pytest.raises(ConfigError, match="is not a valid specification"):
        parse("schedule: {refresh: '0 0'}")


def test_when_it_comes_next_is_told_in_its_own_zone() -> None:
    winter = datetime(2026, 1, 5, 6, 30, tzinfo=timezone.utc)
    summer = datetime(2026, 7, 6, 6, 30, tzinfo=timezone.utc)
    assert next_time("0 8 * * 1-5", "Europe/Berlin", winter) == datetime(2026, 1, 5, 7, tzinfo=timezone.utc)
    assert next_time("0 8 * * 1-5", "Europe/Berlin", summer) == datetime(2026, 7, 7, 6, tzinfo=timezone.utc)
