"""Watching over Ray once it runs, and waiting after it was drained. It does not decide which of the two it is.

``ray start --block`` is not enough to watch: it stays when its raylet ends without failure, as after a drain, and hangs
when the GCS dies while it is still starting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cai_deploy.errors import DeployError
from cai_deploy.node.process import RayProcess

POLL = 0.1
LOOK_EVERY = 1.0
MISSED = 4
"""Looks in a row without a vital service; ``ray start`` itself gets this long to tell its end better than we could."""

DRAINED_PATIENCE = 600.0
"""Seconds. Who drains a node stops it soon; a node that nobody stops any more was not meant to stay away."""

ANEW = "the platform starts failed applications anew; `launch` does so at once"


class RayEnded(DeployError):
    """Ray ended although nobody asked it to, or nobody ended the node after a drain."""


def follow(process: RayProcess, stop: threading.Event, look: Callable[[], None] = lambda: None) -> None:
    """Until told to stop. Raises RayEnded when Ray or a vital service of it ends before, and whatever ``look`` raises,
    which is called once a second."""
    seen: set[str] = set()
    missed = 0
    looked = time.monotonic()
    while not stop.wait(POLL):
        status = process.ended()
        if status is not None:
            raise _ended(process, f"Ray ended with status {status}")
        if time.monotonic() - looked >= LOOK_EVERY:
            looked = time.monotonic()
            look()
            running = process.services()
            seen |= running
            missed = 0 if running == seen else missed + 1
            if missed >= MISSED:
                gone = ", ".join(sorted(seen - running))
                raise _ended(process, f"Ray ended: no {gone} any more")


def _ended(process: RayProcess, what: str) -> RayEnded:
    lack = process.shortage()
    return RayEnded(what + (f" ({lack})" if lack else ""), why="\n".join(process.last_lines), next_step=ANEW)


def rest(stop: threading.Event, patience: float = DRAINED_PATIENCE) -> None:
    """Until told to stop. Raises RayEnded after ``patience`` seconds, so that the platform starts the node anew."""
    if not stop.wait(patience):
        raise RayEnded(f"drained, and not stopped for {patience:.0f} seconds: it is to be started anew", next_step=ANEW)
