"""How long to wait before Ray is started again, and when to give up. Pure: it is told how long each start lived.

Giving up is a part of it: the platform has restarts of its own (3, with 5 minutes in between), which bring a new pod,
maybe on another machine. Who tries for ever in a pod that is broken keeps them from happening.
"""

from __future__ import annotations

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds. Six starts in a row that did not live long are enough to know."""

LONG_LIFE = 300.0
"""Seconds; what lived so long began well, and its end has a new reason."""


class Backoff:
    """The starts of one node's Ray."""

    def __init__(self) -> None:
        self._failed = 0

    def pause(self, lived: float) -> float | None:
        """Seconds to wait after a start that lived so long; None when it is time to give up."""
        self._failed = 1 if lived >= LONG_LIFE else self._failed + 1
        return PAUSES[self._failed - 1] if self._failed <= len(PAUSES) else None
