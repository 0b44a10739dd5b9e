"""How many calls may be in flight at once: fewer after a "too many requests", one more after each round without one.

Additive increase and multiplicative decrease share a workspace between deployers that know nothing of each other, as
they share a network between connections. It must not know HTTP, and it never sleeps: how long a refused call waits
before it is sent again is not its business, and whoever waits for that holds no slot meanwhile.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from cai_deploy.errors import ConfigError


@dataclass
class Slot:
    """The right to have one call in flight. Whoever holds it says how the call went; a broken one says nothing."""

    halvings: int
    outcome: Literal["unknown", "accepted", "refused"] = "unknown"


class Limiter:
    """A bound for the calls of several threads; those who wait get their slots in the order in which they came."""

    def __init__(self, limit: int) -> None:
        """``limit`` is where the bound starts and what it never exceeds. Raises ConfigError when it is below one."""
        if limit < 1:
            raise ConfigError(f"{limit} calls at once are none at all", next_step="allow at least one")
        self._limit = limit
        self._allowed = limit
        self._in_flight = 0
        self._accepted = 0
        self._halvings = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many calls may be in flight now."""
        with self._changed:
            return self._allowed

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Wait for a slot, and hold it within a ``with`` block."""
        slot = self._enter()
        try:
            yield slot
        finally:
            self._leave(slot)

    def _enter(self) -> Slot:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                self._changed.wait_for(lambda: self._queue[0] is ticket and self._in_flight < self._allowed)
                self._in_flight += 1
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()  # the next in the queue may fit in, too
            return Slot(self._halvings)

    def _leave(self, slot: Slot) -> None:
        with self._changed:
            self._in_flight -= 1
            # What was sent before the last halving tells of a pace that is over: a burst of refusals counts as one.
            if slot.halvings == self._halvings:
                self._learn(slot)
            self._changed.notify_all()

    def _learn(self, slot: Slot) -> None:
        if slot.outcome == "refused":
            self._allowed = max(1, self._allowed // 2)
            self._halvings += 1
            self._accepted = 0
        elif slot.outcome == "accepted" and self._allowed < self._limit:
            self._accepted += 1
            if self._accepted >= self._allowed:
                self._allowed += 1
                self._accepted = 0
