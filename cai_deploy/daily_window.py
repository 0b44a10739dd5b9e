"""A part of each day, such as 02:30-09:00, which may go on past midnight. Pure, and standard library alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time

WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class DailyWindow:
    """From ``begin`` on and before ``end``, each day; on the next day where ``end`` is not after ``begin``.

    So 00:00-00:00 is the whole day.
    """

    begin: time
    end: time

    def holds(self, now: time) -> bool:
        """Whether ``now`` lies in it."""
        if self.begin < self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


def parse(text: str) -> DailyWindow:
    """The window that ``text`` describes. Raises ValueError for what is none."""
    match = WINDOW.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a part of the day: write it as 02:30-09:00, or 22:00-06:00 past midnight")
    return DailyWindow(time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4])))
