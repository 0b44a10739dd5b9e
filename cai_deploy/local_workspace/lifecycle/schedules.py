"""Starts jobs by the clock: each in its own time zone, paused ones never, and none twice at a time.

Moments that passed while no workspace ran are not made up for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from cai_deploy.local_workspace import cron
from cai_deploy.local_workspace.store import Record

log = logging.getLogger("local_workspace.schedules")
# A clock that is set, or a machine that slept, is noticed after this long.
LONGEST_SLEEP = 30.0


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Schedules:
    """Every job that follows the clock, with its next moment."""

    def __init__(self, fire: Callable[[str], None], now: Callable[[], datetime] = _now) -> None:
        self._fire = fire
        self._now = now
        self._due: dict[str, tuple[str, str, datetime]] = {}
        self._changed = asyncio.Event()

    def follow(self, job: Record) -> None:
        """Take note of a job that is new, changed or found again."""
        schedule, zone = job.shown["schedule"], job.shown["timezone"]
        if not schedule or job.shown["paused"]:
            self.forget(job.id)
        elif self._due.get(job.id, ("", ""))[:2] != (schedule, zone):
            self._plan(job.id, schedule, zone, self._now())

    def forget(self, identifier: str) -> None:
        """The job is gone, or follows the clock no more."""
        self._due.pop(identifier, None)

    async def run(self) -> None:
        """Fire what is due, for as long as the workspace lives."""
        while True:
            self._changed.clear()
            wait = min((self.fire_due(), LONGEST_SLEEP))
            try:
                await asyncio.wait_for(self._changed.wait(), wait if self._due else None)
            except asyncio.TimeoutError:
                continue

    def fire_due(self) -> float:
        """Start the jobs whose moment has come; the seconds until the next one."""
        now = self._now()
        for identifier, (schedule, zone, moment) in list(self._due.items()):
            if moment <= now:
                self._plan(identifier, schedule, zone, now)
                try:
                    self._fire(identifier)
                except Exception:
                    log.exception("job %s could not be started by its schedule", identifier)
        nearest = min((moment for _, _, moment in self._due.values()), default=now + timedelta(days=1))
        return max(0.0, (nearest - now).total_seconds())

    def _plan(self, identifier: str, schedule: str, zone: str, after: datetime) -> None:
        moment = cron.following(schedule, zone, after)
        if moment is None:
            self.forget(identifier)
        else:
            self._due[identifier] = (schedule, zone, moment)
            self._changed.set()
