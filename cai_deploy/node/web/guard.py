"""Who may ask at the head's HTTP port: those who show the cluster's token, in one of the three ways that Ray takes it.

In front of it stands the platform, with a login or a key of its own. What that needs may come through to here as an
``Authorization`` that is not for Ray, which would refuse it even beside the right token in another place.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping

from cai_deploy.access import AUTHORIZATION, RAY_AUTHORIZATION

COOKIE = "ray-authentication-token"
BEARER = "bearer "


class Guard:
    """Knows the ``token``; "" lets everybody in. Header names are looked up as ``headers`` does it."""

    def __init__(self, token: str) -> None:
        self._token = token

    @property
    def token(self) -> str:
        """What is to be shown."""
        return self._token

    @property
    def open(self) -> bool:
        """Whether there is nothing to show."""
        return not self._token

    def admits(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether the token is shown."""
        return not self._token or any(self.knows(shown) for shown in _shown(headers, cookies))

    def passes(self, name: str, value: str) -> bool:
        """Whether a header may go on to Ray."""
        return not self._token or name.lower() != AUTHORIZATION.lower() or self.knows(_bare(value))

    def knows(self, shown: str) -> bool:
        """Whether this is the token; compared in constant time."""
        return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), self._token.encode())


def shows_something(headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
    """Whether a token is shown that is meant for the cluster, be it right or wrong."""
    return RAY_AUTHORIZATION in headers or COOKIE in cookies


def _shown(headers: Mapping[str, str], cookies: Mapping[str, str]) -> Iterator[str]:
    for name in (RAY_AUTHORIZATION, AUTHORIZATION):
        if name in headers:
            yield _bare(headers[name])
    if COOKIE in cookies:
        yield cookies[COOKIE]


def _bare(value: str) -> str:
    return value[len(BEARER) :].strip() if value.lower().startswith(BEARER) else ""
