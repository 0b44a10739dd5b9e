"""What happens to a cluster by the clock: jobs of its project, each at its times or after another one.

It says when and what; which job of a workspace that comes to is for the place to know. Inside a project neither the
library that knows cron nor a list of time zones need be there: what is read there was looked at where it was written.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, field_validator, model_validator

from cai_deploy.spec.part import Name, Part, Seconds

CRON_FIELDS = 5
UTC = "UTC"
REFRESH_STAGES = ("git-sync", "setup", "launch")
"""What a refresh is made of, each a job that begins when the one before it has succeeded."""


def parse_cron(text: str) -> str:
    """The cron schedule in ``text`` with single blanks. Raises ValueError for what is none."""
    fields = text.split()
    if len(fields) != CRON_FIELDS:
        raise ValueError("a schedule has five fields: minute, hour, day of the month, month, day of the week")
    with suppress(ModuleNotFoundError):
        from cronsim import CronSim, CronSimError

        try:
            CronSim(" ".join(fields), datetime.now(timezone.utc))
        except CronSimError as error:
            raise ValueError(f"no such times: {error}") from error
    return " ".join(fields)


def parse_zone(name: str) -> str:
    """``name``, which has to be a time zone. Raises ValueError."""
    if not _is_known(name) and _is_known(UTC):
        raise ValueError("there is no such time zone; write it as Europe/Berlin, or UTC")
    return name


def _is_known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, ZoneInfoNotFoundError):  # a directory, a path, unknown
        return False
    return True


def next_time(cron: str, zone: str, after: datetime) -> datetime | None:
    """When ``cron`` comes next in its ``zone``, in UTC; None when it never does."""
    from cronsim import CronSim

    moment = next(CronSim(cron, after.astimezone(ZoneInfo(zone))), None)
    return moment.astimezone(timezone.utc) if moment else None


Cron = Annotated[str, AfterValidator(parse_cron)]
Zone = Annotated[str, AfterValidator(parse_zone)]


class ScheduledJob(Part):
    """One thing to do at the times of ``cron``, or ``after`` another one has succeeded.

    ``refresh`` brings the project's clone to the newest commit of its branch, builds the environment that it asks for
    and launches what it specifies; ``launch`` brings the cluster to what it was last launched with, awake.
    ``arguments`` are those of the verb. ``timeout`` is in seconds, for each run; one that failed is tried again
    ``retries`` times.
    """

    name: Name
    does: Literal["refresh", "launch", "scale", "sleep", "submit"]
    cron: Cron | None = None
    timezone: Zone | None = None
    after: Name | None = None
    arguments: str = ""
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    retry_delay: Annotated[int, Field(ge=0, le=86_400)] = 60
    timeout: Seconds | None = None

    @model_validator(mode="after")
    def _one_beginning(self) -> ScheduledJob:
        if (self.cron is None) == (self.after is None):
            raise ValueError(f"{self.name} needs either `cron` or `after`")
        if self.after and self.timezone:
            raise ValueError(f"{self.name} follows {self.after}: it has no times, and so no timezone")
        return self

    @model_validator(mode="after")
    def _enough_said(self) -> ScheduledJob:
        try:
            words = shlex.split(self.arguments)
        except ValueError as error:
            raise ValueError(f"arguments of {self.name}: {error}") from error
        if self.does == "scale" and not any(word.partition("=")[0] == "--workers" for word in words):
            raise ValueError(f"{self.name} does not say how many: arguments: --workers N")
        if self.does == "submit" and not words:
            raise ValueError(f"{self.name} does not say what: arguments: -- COMMAND")
        return self

    @property
    def stages(self) -> tuple[str, ...]:
        """What the jobs are called that it is made of, in their order."""
        return tuple(f"{self.name}-{stage}" for stage in REFRESH_STAGES) if self.does == "refresh" else (self.name,)


class OfficeHours(Part):
    """The cluster is launched at the times of ``start`` and sleeps from those of ``stop`` on."""

    start: Cron
    stop: Cron
    timezone: Zone | None = None


class Schedule(Part):
    """Everything that happens by the clock, but for the watchdog. ``timezone`` is that of all times without one."""

    timezone: Zone = UTC
    refresh: Cron | None = None
    office_hours: OfficeHours | None = None
    jobs: tuple[ScheduledJob, ...] = ()

    @field_validator("jobs")
    @classmethod
    def _follow_on(cls, jobs: tuple[ScheduledJob, ...]) -> tuple[ScheduledJob, ...]:
        after = {job.name: job.after for job in jobs}
        for job in jobs:
            seen, at = {job.name}, job.after
            while at in after:
                if at in seen:
                    raise ValueError(f"{job.name} follows itself")
                seen.add(at)
                at = after[at]
        return jobs

    @model_validator(mode="after")
    def _distinct(self) -> Schedule:
        entries = self.entries
        names = [name for entry in entries for name in entry.stages]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two jobs are called {twice[0]!r}")
        known = [entry.name for entry in entries]
        for entry in entries:
            if entry.after and entry.after not in known:
                raise ValueError(f"{entry.name} follows {entry.after!r}, and there are only {', '.join(known)}")
        return self

    @property
    def entries(self) -> tuple[ScheduledJob, ...]:
        """All that is to be done, each at its times in its time zone."""
        return tuple(
            entry.model_copy(update={"timezone": entry.timezone or self.timezone}) if entry.cron else entry
            for entry in (*self._presets(), *self.jobs)
        )

    @property
    def sleeps(self) -> bool:
        """Whether it puts the cluster to sleep."""
        return any(entry.does == "sleep" for entry in self.entries)

    def _presets(self) -> Iterator[ScheduledJob]:
        if self.refresh:
            yield ScheduledJob(name="refresh", does="refresh", cron=self.refresh)
        if hours := self.office_hours:
            yield ScheduledJob(name="start", does="launch", cron=hours.start, timezone=hours.timezone)
            yield ScheduledJob(name="stop", does="sleep", cron=hours.stop, timezone=hours.timezone)
