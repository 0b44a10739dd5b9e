"""What a person watches while the reconciler works: a live line on a terminal, plain lines elsewhere.

Both tell the same story, and only when something changes, so that a CI log stays short.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from cai_deploy.cli.output import say
from cai_deploy.state import Observation, Plan, Step

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

SHOWN_NAMES = 4


class Story:
    """Tells each step as it is taken and each change of what is waited for; use as a context manager."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._waiting = ""
        self._console: Console | None = None
        self._spinner: Status | None = None

    def __enter__(self) -> Story:
        if sys.stderr.isatty():
            from rich.console import Console

            self._console = Console(stderr=True, highlight=False)
            self._spinner = self._console.status("looking")
            self._spinner.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._spinner:
            self._spinner.stop()

    def looked(self, plan: Plan, seen: Observation) -> None:  # noqa: ARG002 (others look at the nodes too)
        """Tell what is waited for, when that is news."""
        waiting = waiting_line(plan)
        if self._spinner:
            self._spinner.update(waiting or "looking")
        elif waiting and waiting != self._waiting:
            self.tell(waiting)
        self._waiting = waiting

    def applying(self, step: Step) -> None:
        """Tell a step."""
        self.tell(str(step))

    def tell(self, text: str) -> None:
        """One line with the seconds since the start."""
        line = f"{time.monotonic() - self._started:6.1f}s  {text}"
        if self._console:
            self._console.print(line, markup=False, soft_wrap=True)
        else:
            say(line)


def waiting_line(plan: Plan) -> str:
    """Who is waited for, and why: ``wait: worker-0, worker-1: is starting``."""
    first = min((step.phase for step in plan.steps), default=0)
    reasons: dict[str, list[str]] = {}
    for step in plan.steps:
        if step.action == "wait" and step.phase == first:
            reasons.setdefault(step.reason, []).append(step.name)
    return "; ".join(f"wait: {_names(names)}: {reason}" for reason, names in reasons.items())


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES])
    return shown if len(names) <= SHOWN_NAMES else f"{shown} and {len(names) - SHOWN_NAMES} more"
