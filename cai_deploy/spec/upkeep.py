"""What keeps a cluster while nobody watches: the watchdog, and what becomes of a cluster without work."""

from __future__ import annotations

from pydantic import model_validator

from cai_deploy.spec.part import Count, Minutes, Part
from cai_deploy.spec.schedule import Cron


class Watchdog(Part):
    """A job of the project that comes by a cron ``schedule`` (in UTC) and holds the cluster to its specification."""

    schedule: Cron = "*/5 * * * *"


class Idle(Part):
    """What becomes of a cluster without work, after so many minutes: ``floor`` workers of each group, then none at all.

    ``stop_after`` puts all of it to sleep, the head included, until the next launch.
    """

    scale_down_after: Minutes | None = None
    floor: Count = 0
    stop_after: Minutes | None = None

    @model_validator(mode="after")
    def _fewer_before_none(self) -> Idle:
        down, stop = self.scale_down_after, self.stop_after
        if down is not None and stop is not None and stop <= down:
            raise ValueError(f"stop_after {stop:g} is not above scale_down_after {down:g}")
        return self
