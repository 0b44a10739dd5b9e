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

    Raises what ``send`` raised: at once when it was a definite no (a 4xx but 429), else when the last look found
    nothing. A look that fails ends it too, as no answer is not a negative answer.
    """
    sent_before = False
    for wait in WAITS:
        try:
            return send()
        except (ApiError, PlaceUnreachable) as error:
            # After a lost answer, "taken" may mean that the first request has arrived after all.
            if not worth_another(error) and not (sent_before and isinstance(error, Conflict)):
                raise
            lost: DeployError = error
        sent_before = True
        sleep(max(wait, lost.retry_after or 0.0) if isinstance(lost, RateLimited) else wait)
        found = look()
        if found is not None:
            return found
        if isinstance(lost, Conflict):
            break
    raise lost


def worth_another(error: DeployError) -> bool:
    """Whether sending again can help: the answer was lost, or the workspace only asks for patience."""
    return answer_lost(error) or isinstance(error, RateLimited)


def answer_lost(error: DeployError) -> bool:
    """Whether the request may have been carried out although ``error`` came back."""
    return isinstance(error, (ServerError, RequestTimeout)) or (
        isinstance(error, PlaceUnreachable) and error.retry_helps
    )
