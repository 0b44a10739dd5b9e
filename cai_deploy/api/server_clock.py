"""The time as the workspace tells it, so that machines whose own clocks are wrong agree on what is long ago.

It must not know who needs that. Every answer has a ``Date``, cut to whole seconds; in between, this machine's
monotonic clock counts on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

RESOLUTION = 1.0
"""Seconds by which a Date may lie behind the moment at which it was written."""


class ServerClock:
    """A clock that is set by the ``Date`` of answers. Several threads may use it at once."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, machine: Callable[[], float] = time.time
    ) -> None:
        self._monotonic = monotonic
        self._machine = machine
        self._offset: float | None = None
        self._lock = threading.Lock()

    def hear(self, date: str) -> None:
        """Take the ``Date`` of an answer that has just come; one that is missing or no date changes nothing."""
        try:
            told = parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError, OverflowError):
            return
        with self._lock:
            offset = told - self._monotonic()
            # A Date that lies behind by less than its resolution confirms what we count: taking it would go backwards.
            if self._offset is None or not 0 <= self._offset - offset < RESOLUTION:
                self._offset = offset

    def now(self) -> float:
        """Seconds since 1970: the workspace's once it has told them, this machine's before."""
        with self._lock:
            return self._machine() if self._offset is None else self._monotonic() + self._offset
