"""The doors of nodes, the head's among them opened with the token of its cluster.

The token stands in the project directory, for those alone who may read its files; it is kept in this process and
nowhere else. A cluster that was taken down and launched again has another one: who is refused looks once more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cai_deploy.access import Access, NotLetIn


class Doors(Protocol):
    """Where nodes answer, by the name that the place has for each door. ``token`` is the Ray cluster's behind it."""

    def get_json(self, name: str, path: str, /, *, token: str) -> dict[str, Any]:
        """The JSON object at ``path``. Raises NoAnswer; NotLetIn, which is one, when we are refused."""
        ...

    def post_json(self, name: str, path: str, body: Mapping[str, Any], /, *, token: str) -> dict[str, Any]:
        """The JSON object that answers to ``body``. Raises as ``get_json`` does."""
        ...

    def access(self, name: str, token: str, /) -> Access:
        """How another client opens the door, showing what we show."""
        ...


class TokenDoor:
    """Asks nodes through ``http``. ``learnt`` hears each token. Several threads may use it at once."""

    def __init__(self, http: Doors, learnt: Callable[[str], object]) -> None:
        self._http = http
        self._learnt = learnt
        self._readers: dict[str, Callable[[], str]] = {}
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def opens_with(self, name: str, read: Callable[[], str]) -> None:
        """From now on show the token that ``read`` gives ("" for none) at the door called ``name``."""
        self._readers[name] = read

    def get_json(self, name: str, path: str) -> dict[str, Any]:
        """The JSON object at ``path``. Raises NoAnswer."""
        return self._ask(name, lambda token: self._http.get_json(name, path, token=token))

    def post_json(self, name: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object with which it is answered to ``body``. Raises NoAnswer."""
        return self._ask(name, lambda token: self._http.post_json(name, path, body, token=token))

    def access(self, name: str) -> Access:
        """How another client opens the door of ``name``, with the token that was last good or has yet to be."""
        return self._http.access(name, self._token(name))

    def _ask(self, name: str, ask: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        token = self._token(name)
        try:
            return ask(token)
        except NotLetIn:
            newer = self._token(name, not_this=token)
            if newer == token:
                raise
            return ask(newer)

    def _token(self, name: str, not_this: str | None = None) -> str:
        read = self._readers.get(name)
        if read is None:
            return ""
        with self._lock:
            if self._tokens.get(name) in (None, not_this):
                self._tokens[name] = read()
                self._learnt(self._tokens[name])
            return self._tokens[name]
