"""Waiting in tests: look until something is true, with a deadline, and never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def eventually(what: Callable[[], Any], *, seconds: float = 15.0) -> Any:
    """The first true value of ``what``; an assertion when none comes in time."""
    value = last_look(what, seconds, 0.02)
    assert value, f"not within {seconds} seconds; last: {value!r}"
    return value


def last_look(what: Callable[[], Any], seconds: float, pause: float) -> Any:
    """The first true value of ``what``, or the one that it has when the time is over.

    Between two looks is a ``pause``, at least as long as the last one took: who waits must not be what others wait for.
    """
    until = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        value = what()
        ended = time.monotonic()
        if value or ended >= until:
            return value
        time.sleep(min(max(pause, ended - began), until - ended))
