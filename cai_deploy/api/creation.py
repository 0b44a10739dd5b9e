"""Creating something exactly once, on an API that can do the work and lose the answer.

After a 5xx, a time-out or a broken connection nobody knows whether the object was made, and the gateway is known to
answer 500 for work that goes on and succeeds. So: look first, and send again only what is not there. A 4xx is final.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from cai_deploy.api.errors import RateLimited, ServerError
from cai_deploy.api.transport import LostAnswer

ATTEMPTS = 3
FIRST_PAUSE = 1.0

Made = TypeVar("Made")


def create_once(
    send: Callable[[], Made], find: Callable[[], Made | None], *, sleep: Callable[[float], None] = time.sleep
) -> Made:
    """What ``send`` creates, or what ``find`` sees of an attempt whose answer was lost.

    Raises the last attempt's error when the object cannot be made.
    """
    pause = FIRST_PAUSE
    for _ in range(ATTEMPTS - 1):
        try:
            return send()
        except (ServerError, RateLimited, LostAnswer):
            sleep(pause)
            there = find()
            if there is not None:
                return there
            pause *= 2
    return send()
