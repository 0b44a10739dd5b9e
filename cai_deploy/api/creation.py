"""Creating once, though the answer may get lost.

The workspace's gateway gives up after about 30 seconds while the work behind it goes on, so an error is no proof that
nothing was made. This module must not know what is created: it is told how to send and how to look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cai_deploy.api.errors import ApiError, Conflict, RateLimited, RequestTimeout, ServerError
from cai_deploy.errors import DeployError, PlaceUnreachable

Created = TypeVar("Created")

WAITS = (1.0, 3.0, 9.0)
"""Seconds before each look, which is also the pace of the attempts: what is late should have the time to appear."""


def create_once(
    send: Callable[[], Created], look: Callable[[], Created | None], sleep: Callable[[float], None]
) -> Created:
    """What ``send`` creates, or what ``look`` finds when the answer got lost; sent three times at the most.

    Raises what ``send`` raised: at once when it was a definite no (a 4xx) and nothing was lost before, else the lost
    answer, once the last look found nothing: what has become of that request is still open then. A look that fails
    ends it too, as no answer is not a negative answer.
    """
    lost: DeployError | None = None
    waits = list(WAITS)
    while True:
        try:
            return send()
        except (ApiError, PlaceUnreachable) as error:
            # After a lost answer, "taken" may mean that the first request has arrived after all.
            taken = isinstance(error, Conflict)
            if not answer_lost(error) and (lost is None or not isinstance(error, (Conflict, RateLimited))):
                raise
            lost = lost or error
        sleep(waits.pop(0))
        found = look()
        if found is not None:
            return found
        if taken or not waits:
            raise lost


def answer_lost(error: DeployError) -> bool:
    """Whether the request may have been carried out although ``error`` came back."""
    return isinstance(error, (ServerError, RequestTimeout)) or (
        isinstance(error, PlaceUnreachable) and error.retry_helps
    )
