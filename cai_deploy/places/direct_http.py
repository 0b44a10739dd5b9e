"""The doors of nodes that are reached at an address of their own, where nothing stands in between.

A door is called ``host:port``. It must not know what runs behind it. Whoever waits for a node polls anyway, so nothing
is tried again here; no proxy is asked, as nodes of a cluster are no addresses of the world outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from cai_deploy.access import RAY_AUTHORIZATION, Access, NoAnswer, NotLetIn

TIMEOUT = (5.0, 10.0)
"""Seconds to connect, and to be answered. A machine that was switched off answers nothing at all."""

REFUSALS = (401, 403)


class DirectHttp:
    """Asks nodes over plain HTTP. Several threads may use it at once."""

    def __init__(self, *, timeout: tuple[float, float] = TIMEOUT) -> None:
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False

    def get_json(self, name: str, path: str, /, *, token: str = "") -> dict[str, Any]:
        """The JSON object at ``path`` of the node at ``name``. Raises NoAnswer; NotLetIn, which is one, if refused."""
        return self._ask("GET", name, path, token)

    def post_json(self, name: str, path: str, body: Mapping[str, Any], /, *, token: str = "") -> dict[str, Any]:
        """The JSON object with which the node answers to ``body``. Raises as ``get_json`` does."""
        return self._ask("POST", name, path, token, body)

    def access(self, name: str, token: str = "", /) -> Access:
        """How another client reaches the node at ``name``, showing what we show."""
        return Access(f"http://{name}", _shown(token))

    def _ask(
        self, method: str, name: str, path: str, token: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        url = f"http://{name}/{path.lstrip('/')}"
        try:
            answer = self._session.request(
                method, url, json=body, headers=_shown(token), timeout=self._timeout, allow_redirects=False
            )
        except requests.RequestException as error:
            raise _no_answer(url, "no connection, or none that lasted") from error
        if answer.status_code in REFUSALS:
            raise _no_answer(url, f"status {answer.status_code}: it does not let us in", NotLetIn)
        if answer.status_code != requests.codes.ok:
            raise _no_answer(url, f"status {answer.status_code}")
        try:
            fields = answer.json()
        except ValueError as error:
            raise _no_answer(url, "something else than JSON") from error
        if not isinstance(fields, dict):
            raise _no_answer(url, "JSON that is not an object")
        return fields


def _shown(token: str) -> dict[str, str]:
    return {RAY_AUTHORIZATION: f"Bearer {token}"} if token else {}


def _no_answer(url: str, why: str, kind: type[NoAnswer] = NoAnswer) -> NoAnswer:
    return kind(f"{url.partition('?')[0]} does not answer", why=why, next_step="see whether the node runs, and its log")
