"""Striking a command at its k-th call: it dies there, or the workspace spoils just that call.

Counted where the calls are made, so that it is known which call was struck, and so that calls that change something can
be told from those that only look.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from cai_deploy.api.transport import Transport
from cai_deploy.testing import LocalWorkspace

PATIENCE = 0.5
FAULTS: dict[str, dict[str, Any]] = {
    "error_after": {},
    "error_before": {},
    "slow_after": {"delay": PATIENCE + 0.3},  # a time-out
    "drop": {},
    "drop_after": {},
    "html_502": {},
    "rate_limit": {},
}
KILLS = ("kill_before", "kill_after")
STRUCK = "struck:"
"""How a command notes the call that was struck, among what it tells."""


class Impatient(Transport):
    """Does not wait between two attempts."""

    def __init__(self, host: str, api_key: str, **options: Any) -> None:
        super().__init__(host, api_key, **{**options, "sleep": lambda _: None})


class Struck(Impatient):
    """Gives up on an answer soon, creations included, and is struck at its ``nth`` call, or its ``nth`` change."""

    def __init__(
        self,
        host: str,
        api_key: str,
        *,
        workspace: LocalWorkspace,
        kind: str,
        nth: int,
        changes_only: bool,
        **options: Any,
    ) -> None:
        super().__init__(host, api_key, **options)
        self._workspace = workspace
        self._kind = kind
        self._nth = nth
        self._changes_only = changes_only
        self._numbers = count(1)

    def _once(self, method: Any, path: str, *, timeout: float | None = None, **how: Any) -> Any:
        counts = not self._changes_only or changes(method, path)
        struck = counts and next(self._numbers) == self._nth
        if struck:
            print(STRUCK, self._kind, method, path, file=sys.stderr, flush=True)
            if self._kind in FAULTS:
                rule = {"method": method, "path": f"/api/v2/{path}", "nth": 1, **FAULTS[self._kind]}
                self._workspace.faults.add(self._kind, **rule)
            elif self._kind == "kill_before":
                die()
        try:
            return super()._once(method, path, timeout=PATIENCE, **how)
        finally:
            if struck and self._kind == "kill_after":
                die()


def struck(workspace: LocalWorkspace, kind: str, nth: int, *, changes_only: bool) -> Callable[..., Transport]:
    """What makes the transport of a command that is to be struck."""
    return partial(Struck, workspace=workspace, kind=kind, nth=nth, changes_only=changes_only)


def changes(method: str, path: str) -> bool:
    """Whether a call changes something in the workspace. Downloads are POSTs that only read."""
    return method != "GET" and not path.endswith(":download")


def die() -> None:
    """The end, in the midst of whatever the other threads do."""
    os.kill(os.getpid(), signal.SIGKILL)
