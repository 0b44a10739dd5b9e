"""Who has shown the key: a random token in a cookie, never the key itself, and beside it a token against forged posts.

In memory, so a restart of the workspace signs everybody out. It knows no pages.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

LIFETIME = 12 * 3600.0
MOST = 100


@dataclass(frozen=True)
class Session:
    """One browser that has signed in."""

    csrf: str
    until: float

    def vouches_for(self, csrf: str) -> bool:
        """Whether a form was ours; compared in constant time."""
        return hmac.compare_digest(csrf.encode(), self.csrf.encode())


class Sessions:
    """All browsers that have signed in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def open(self) -> str:
        """A new session; its token is what the browser keeps."""
        self._sessions = {name: each for name, each in self._sessions.items() if each.until > self._clock()}
        while len(self._sessions) >= MOST:
            self._sessions.pop(next(iter(self._sessions)))
        token = secrets.token_urlsafe(32)
        self._sessions[_name(token)] = Session(secrets.token_urlsafe(32), self._clock() + LIFETIME)
        return token

    def find(self, token: str) -> Session | None:
        """The session of a token, unless it is too old."""
        session = self._sessions.get(_name(token))
        return session if session and session.until > self._clock() else None

    def close(self, token: str) -> None:
        """Sign out."""
        self._sessions.pop(_name(token), None)


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a post comes from a page of ours. Every browser says so; a request that does not is refused."""
    return origin is not None and urlsplit(origin).netloc == host != ""


def _name(token: str) -> str:
    # Looked up by digest, so that the time of a look-up says nothing about a token.
    return hashlib.sha256(token.encode()).hexdigest()
