"""Browsers that may see an application, as somebody who is signed in at the console sent them there.

A ticket leads over, once and within seconds; then a cookie of the application's own host keeps the door open. Neither
opens another application, nor the console, nor the API. It knows no HTTP.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

TICKET_LIVES = 30.0
STAYS = 12 * 3600.0
MOST = 1000


@dataclass(frozen=True)
class Pass:
    """Opens the application at ``subdomain`` for whom ``sent_by`` sent there."""

    subdomain: str
    sent_by: str
    until: float


class Guests:
    """All of them, in memory: a restart of the workspace sends everybody past the console again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tickets: dict[str, Pass] = {}
        self._stays: dict[str, Pass] = {}

    def ticket(self, subdomain: str, sent_by: str) -> str:
        """For one way over to the application at ``subdomain``."""
        return self._issue(self._tickets, subdomain, sent_by, TICKET_LIVES)

    def enter(self, ticket: str, subdomain: str) -> str | None:
        """What the browser keeps from now on; None for a ticket that is used, too old, or for elsewhere."""
        shown = self._tickets.pop(_name(ticket), None)
        if shown is None or shown.subdomain != subdomain or shown.until <= self._clock():
            return None
        return self._issue(self._stays, subdomain, shown.sent_by, STAYS)

    def knows(self, kept: str, subdomain: str) -> bool:
        """Whether this browser may see the application at ``subdomain``."""
        stay = self._stays.get(_name(kept))
        return stay is not None and stay.subdomain == subdomain and stay.until > self._clock()

    def forget(self, sent_by: str) -> None:
        """All whom this one sent: they signed out."""
        for passes in (self._tickets, self._stays):
            for name in [name for name, each in passes.items() if each.sent_by == sent_by]:
                del passes[name]

    def _issue(self, passes: dict[str, Pass], subdomain: str, sent_by: str, lives: float) -> str:
        for name in [name for name, each in passes.items() if each.until <= self._clock()]:
            del passes[name]
        while len(passes) >= MOST:
            del passes[next(iter(passes))]
        token = secrets.token_urlsafe(32)
        passes[_name(token)] = Pass(subdomain, sent_by, self._clock() + lives)
        return token


def _name(token: str) -> str:
    # Looked up by digest, so that the time of a look-up says nothing about a token.
    return hashlib.sha256(token.encode()).hexdigest()
