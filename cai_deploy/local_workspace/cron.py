"""Cron schedules: when one comes next in its time zone, and what it says in words. Pure.

Five fields, as the service has them. Where clocks are put back or forward, the rules of Debian's cron hold.
"""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from cai_deploy.local_workspace import rules


def check(schedule: str, zone: str) -> None:
    """400 for a schedule or a time zone that there is not."""
    try:
        where = ZoneInfo(zone)
    except (OSError, ValueError, ZoneInfoNotFoundError):  # a directory, a path, unknown
        raise rules.bad_request(f"Problem with field Timezone: unknown time zone '{zone}'") from None
    if schedule and len(schedule.split()) != 5:
        raise rules.bad_request(f"Problem with field Schedule: '{schedule}' has not five fields")
    try:
        if schedule:
            CronSim(schedule, datetime.now(where))
    except CronSimError as error:
        raise rules.bad_request(f"Problem with field Schedule: {error}") from None


def following(schedule: str, zone: str, after: datetime) -> datetime | None:
    """The first moment of the schedule later than ``after``, in UTC; None when there is none."""
    moment = next(CronSim(schedule, after.astimezone(ZoneInfo(zone))), None)
    return moment.astimezone(timezone.utc) if moment else None


def in_words(schedule: str) -> str:
    """What people read; empty for no schedule."""
    return CronSim(schedule, datetime.now(timezone.utc)).explain() if schedule else ""
