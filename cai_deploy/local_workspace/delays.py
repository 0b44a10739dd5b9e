"""Lets transitions take their time: at once, after n looks at the object, after t seconds, or never.

What is looked at is told by the routes; what waits are the life-cycles. A wait ends early when the settings change
to a shorter one, and all end when the workspace does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from cai_deploy.local_workspace.settings import Settings


class Delays:
    """Every transition that is waiting for its time."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._waiting: dict[str, _Waiting] = {}
        self._released: set[str] = set()
        self._lifted = False

    async def wait(self, transition: str, identifier: str) -> None:
        """Return when ``identifier`` may make ``transition``."""
        loop = asyncio.get_running_loop()
        began, waiting = loop.time(), _Waiting()
        while not self._lifted and identifier not in self._released:
            delay = self._settings().delay(transition)
            left = began + delay.seconds - loop.time()
            if waiting.looks >= delay.looks and left <= 0:
                return
            self._waiting[identifier] = waiting
            waiting.bell.clear()
            try:
                # A day is enough of "never" for a timer; the loop looks again then.
                await asyncio.wait_for(waiting.bell.wait(), min(left, 86400.0) if left > 0 else None)
            except asyncio.TimeoutError:
                continue
            finally:
                if self._waiting.get(identifier) is waiting:
                    del self._waiting[identifier]

    def looked(self, identifiers: Iterable[str]) -> None:
        """Somebody was shown these objects."""
        if self._waiting:
            for identifier in identifiers:
                if waiting := self._waiting.get(identifier):
                    waiting.looks += 1
                    waiting.bell.set()

    def settings_changed(self) -> None:
        """Look again at what everything waits for."""
        for waiting in self._waiting.values():
            waiting.bell.set()

    def release(self, identifier: str) -> None:
        """This one waits no more: it is being deleted."""
        self._released.add(identifier)
        if waiting := self._waiting.get(identifier):
            waiting.bell.set()

    def forget(self, identifier: str) -> None:
        """This one is gone."""
        self._released.discard(identifier)

    def lift(self) -> None:
        """From now on nothing waits: the workspace ends."""
        self._lifted = True
        self.settings_changed()


class _Waiting:
    def __init__(self) -> None:
        self.looks = 0
        self.bell = asyncio.Event()
