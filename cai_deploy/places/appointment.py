"""An appointment: what happens to a cluster by the clock, or after another such thing, as its place shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Appointment:
    """``cron`` in its ``timezone``, or the name of the one that it comes ``after``.

    ``last`` is how it ended the last time, in the place's word, and ``last_at`` when that began; "" for never.
    """

    name: str
    cron: str = ""
    timezone: str = ""
    after: str = ""
    paused: bool = False
    last: str = ""
    last_at: str = ""
