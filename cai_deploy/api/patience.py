"""When a request is sent again, and how long to wait before.

Two kinds of patience. A 429 says that nothing was done, so whatever it was may be sent again until it is let through; a
lost answer says nothing, so only what comes to the same when it is done twice may be. This module must not know which
requests are of that kind, nor what they are about.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from cai_deploy.api.errors import RateLimited
from cai_deploy.errors import DeployError

Answer = TypeVar("Answer")
Sleep = Callable[[float], None]

LONGEST_WAIT = 60.0
"""Seconds that a Retry-After is honoured for; a server that asks for more is as good as down."""

LONGEST_REFUSAL = 120.0
"""Seconds of waiting for one request to be let through. Behind a narrow limit many wait for one slot, and a few
attempts each would fail a launch that is only slow."""

_back_off = wait_exponential(multiplier=0.5, max=8) + wait_random(0, 0.5)


def until_let_through(send: Callable[[], Answer], sleep: Sleep) -> Answer:
    """What ``send`` brings, sent again while the answer is 429. Raises RateLimited when the patience has ended."""
    return _retrying(retry_if_exception_type(RateLimited), lambda state: state.idle_for >= LONGEST_REFUSAL, sleep)(send)


def until_answered(send: Callable[[], Answer], attempts: int, sleep: Sleep) -> Answer:
    """What ``send`` brings, sent ``attempts`` times at the most while that can help. Raises what the last one raised.

    A 429 is left to ``until_let_through``.
    """
    return _retrying(retry_if_exception(_worth_another), stop_after_attempt(attempts), sleep)(send)


def seconds_of(retry_after: str) -> float | None:
    """Seconds in a Retry-After header, which is a number of them or a date; None when it is neither."""
    if retry_after.isdigit():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if until.tzinfo is None:
        return None
    return max(0.0, (until - datetime.now(timezone.utc)).total_seconds())


def _worth_another(error: BaseException) -> bool:
    return isinstance(error, DeployError) and error.retry_helps and not isinstance(error, RateLimited)


def _retrying(retry: retry_if_exception, stop: Callable[[RetryCallState], bool], sleep: Sleep) -> Retrying:
    return Retrying(retry=retry, stop=stop, wait=_wait, sleep=sleep, reraise=True)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    told = getattr(error, "retry_after", None)
    return _back_off(state) if told is None else min(float(told), LONGEST_WAIT)
