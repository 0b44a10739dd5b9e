"""Jobs by the clock, with a clock of our own; sections are those of cml-behaviour."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from cai_deploy.local_workspace import cron
from cai_deploy.local_workspace.lifecycle.schedules import Schedules
from cai_deploy.local_workspace.store import Record

from .conftest import Client


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def job(name: str, schedule: str, zone: str = "UTC", **shown: Any) -> Record:
    return Record("job", name, "p", {"schedule": schedule, "timezone": zone, "paused": False, **shown})


class Watched:
    """Schedules under a clock that stands still until it is told to go on."""

    def __init__(self, start: str) -> None:
        self.time = at(start)
        self.fired: list[str] = []
        self.schedules = Schedules(self.fired.append, lambda: self.time)

    def after(self, **passed: float) -> list[str]:
        """What has fired when so much time has passed, minute by minute."""
        self.fired.clear()
        until = self.time + timedelta(**passed)
        while self.time < until:
            self.time += timedelta(minutes=1)
            self.schedules.fire_due()
        return list(self.fired)


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "moment"),
    [
        ("* * * * *", "UTC", "2026-01-01T00:00:30", "2026-01-01T00:01"),
        ("0 8 * * MON-FRI", "America/Los_Angeles", "2026-01-02T17:00", "2026-01-05T16:00"),
        ("0 8 * * *", "Asia/Kolkata", "2026-01-01T00:00", "2026-01-01T02:30"),
        # Summer time: at 2:30 there is none on that day, so it comes when the clock has jumped.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00"),
        ("0 12 * * *", "Europe/Berlin", "2026-03-29T12:00", "2026-03-30T10:00"),
    ],
)
def test_the_time_zone_counts(schedule: str, zone: str, after: str, moment: str) -> None:
    """cml-behaviour 7."""
    assert cron.following(schedule, zone, at(after)) == at(moment)


def test_due_jobs_fire_once_and_only_while_they_are_armed() -> None:
    """cml-behaviour 7: recurring jobs start armed unless paused."""
    watched = Watched("2026-01-01T00:00:30")
    watched.schedules.follow(job("often", "*/5 * * * *"))
    watched.schedules.follow(job("hourly", "0 * * * *"))
    watched.schedules.follow(job("paused", "* * * * *", paused=True))
    watched.schedules.follow(job("manual", ""))
    assert watched.after(minutes=11) == ["often", "often"]
    assert sorted(set(watched.after(minutes=50))) == ["hourly", "often"]
    watched.schedules.follow(job("often", "0 0 1 1 *"))
    watched.schedules.follow(job("hourly", ""))
    assert watched.after(hours=3) == []


def test_a_change_of_another_field_does_not_move_the_next_moment() -> None:
    watched = Watched("2026-01-01T00:00:30")
    watched.schedules.follow(job("j", "*/2 * * * *"))
    for _ in range(4):
        watched.time += timedelta(seconds=20)
        watched.schedules.follow(job("j", "*/2 * * * *", description="other"))
    assert watched.after(minutes=1) == ["j"]


def test_moments_that_passed_in_a_sleep_are_not_made_up_for() -> None:
    watched = Watched("2026-01-01T00:00:30")
    watched.schedules.follow(job("j", "* * * * *"))
    watched.time += timedelta(days=1)
    watched.schedules.fire_due()
    assert watched.fired == ["j"]


def test_one_job_that_cannot_start_holds_up_no_other() -> None:
    fired: list[str] = []

    def fire(identifier: str) -> None:
        if identifier == "bad":
            raise RuntimeError("no")
        fired.append(identifier)

    now = at("2026-01-01T00:00:30")
    schedules = Schedules(fire, lambda: now)
    for name in ("bad", "good"):
        schedules.follow(job(name, "* * * * *"))
    now = at("2026-01-01T00:01:00")
    schedules.fire_due()
    assert fired == ["good"]


def test_schedules_of_jobs(shared: Client, project: str) -> None:
    """cml-behaviour 7: type and english_schedule follow; the time zone is Los Angeles by default."""
    shared.upload(project, "x.py", "")
    made = shared.job(project, "x.py", schedule="0 8 * * MON-FRI", paused=True)
    assert (made["type"], made["timezone"], made["paused"]) == ("cron", "America/Los_Angeles", True)
    assert made["english_schedule"] == "At 08:00 on Monday through Friday"
    path = f"projects/{project}/jobs/{made['id']}"
    assert shared.patch(path, {"schedule": "0 * * * *"})["english_schedule"] == "At the start of every hour"
    assert shared.patch(path, {"schedule": ""})["english_schedule"] == ""
    other = {"name": "j", "script": "x.py", "runtime_identifier": shared.runtime()}
    for change in ({"schedule": "soon"}, {"schedule": "61 * * * *"}, {"schedule": "* * * * * *"}, {"timezone": "Mars"}):
        assert (
            shared.refused("POST", f"projects/{project}/jobs", {**other, "schedule": "0 0 * * *", **change})[0] == 400
        )
    assert shared.refused("PATCH", path, {"schedule": "0 0 31 2 *"})[0] == 400
