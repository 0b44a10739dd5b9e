"""Waiting in tests: look until something is true, with a deadline, and never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def eventually(what: Callable[[], Any], *, seconds: float = 15.0) -> Any:
    """The first true value of ``what``; an assertion when none comes in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := what():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} seconds; last: {what()!r}")
