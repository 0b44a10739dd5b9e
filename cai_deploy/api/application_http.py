"""The door of an application: its own URL, asked with the key as a browser would ask with a login.

It must not know what runs behind the door. Nothing is tried again here: an application that is starting does not answer
for minutes, and whoever waits for it polls anyway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from cai_deploy.access import AUTHORIZATION, HOST, RAY_AUTHORIZATION, Access, NoAnswer, NotLetIn
from cai_deploy.api.http_session import LOOPBACK, is_localhost, normalise_host, open_session, trusted, usable_key
from cai_deploy.errors import ConfigError

TIMEOUT = 10.0
"""Seconds. What answers at all answers at once; who polls should not hang on who does not."""

REFUSALS = (401, 403)

SUBDOMAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class ApplicationNotAnswering(NoAnswer):
    """Nothing usable came from an application's URL: it is not up yet, stopped, or behind a login."""


class ApplicationRefused(NotLetIn, ApplicationNotAnswering):
    """The application, or the login in front of it, does not let us in (401 or 403)."""


def application_url(host: str, subdomain: str) -> str:
    """``https://<subdomain>.<domain>``. Raises ConfigError when ``subdomain`` is none, as the key goes there."""
    if not SUBDOMAIN.fullmatch(subdomain):
        raise ConfigError(
            f"{subdomain!r} is not a subdomain", next_step="use lower-case letters, digits and single hyphens within"
        )
    scheme, domain = normalise_host(host).split("://")
    if domain.partition(":")[0] == LOOPBACK:  # nothing can stand below an address
        domain = domain.replace(LOOPBACK, "localhost", 1)
    return f"{scheme}://{subdomain}.{domain}"


class ApplicationHttp:
    """Asks applications of one workspace with one key. Several threads may use it at once."""

    def __init__(
        self,
        host: str,
        api_key: str,
        *,
        ca_bundle: str | bool | None = None,
        proxy: str = "",
        timeout: float = TIMEOUT,
    ) -> None:
        """``timeout`` in seconds. Raises ConfigError or AuthenticationError for what cannot be used."""
        self._host = normalise_host(host)
        self._key = usable_key(api_key)
        self._session = open_session(self._key, proxy=proxy)
        self._verify = trusted(ca_bundle)
        self._timeout = timeout

    def get_json(self, subdomain: str, path: str, *, token: str = "") -> dict[str, Any]:
        """The JSON object at ``path`` of the application at ``subdomain``; ``token`` is the Ray cluster's behind it.

        Raises ApplicationNotAnswering for a broken connection, another status than 200, and anything but a JSON object;
        ApplicationRefused, which is one of these, when we are not let in.
        """
        return self._ask("GET", subdomain, path, token)

    def post_json(self, subdomain: str, path: str, body: Mapping[str, Any], *, token: str = "") -> dict[str, Any]:
        """The JSON object with which the application answers to ``body``. Raises like ``get_json``."""
        return self._ask("POST", subdomain, path, token, body)

    def access(self, subdomain: str, token: str = "") -> Access:
        """How another client reaches the application at ``subdomain``, showing what we show."""
        url = urlsplit(application_url(self._host, subdomain))
        headers = {AUTHORIZATION: f"Bearer {self._key}", **_shown(token)}
        if url.scheme != "http" or not is_localhost(url.hostname):
            return Access(url.geturl(), headers, self._verify)
        # Not every resolver knows that names below localhost are this machine, so the name travels as a header.
        netloc = LOOPBACK if url.port is None else f"{LOOPBACK}:{url.port}"
        return Access(f"http://{netloc}", {HOST: url.netloc, **headers}, self._verify)

    def _ask(
        self, method: str, subdomain: str, path: str, token: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        url = f"{application_url(self._host, subdomain)}/{path.lstrip('/')}"
        # Authorization is the platform's, which the key is for; Ray reads this one just as well.
        shown = _shown(token)
        try:
            # The workspace sends strangers to its login by a redirect: an answer of its own, not to be followed.
            answer = self._session.request(
                method,
                url,
                json=body,
                headers=shown,
                timeout=self._timeout,
                verify=self._verify,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _not_answering(url, "no connection, or none that lasted") from error
        if 300 <= answer.status_code < 400:
            raise _not_answering(url, "a redirect, perhaps to a login page")
        if answer.status_code in REFUSALS:
            raise _not_answering(url, f"status {answer.status_code}: it does not let us in", ApplicationRefused)
        if answer.status_code != 200:
            raise _not_answering(url, f"status {answer.status_code}")
        try:
            fields = answer.json()
        except ValueError as error:
            raise _not_answering(url, "a page instead of JSON, perhaps of a login") from error
        if not isinstance(fields, dict):
            raise _not_answering(url, "JSON that is not an object")
        return fields


def _shown(token: str) -> dict[str, str]:
    return {RAY_AUTHORIZATION: f"Bearer {token}"} if token else {}


def _not_answering(
    url: str, why: str, kind: type[ApplicationNotAnswering] = ApplicationNotAnswering
) -> ApplicationNotAnswering:
    return kind(
        f"{url.partition('?')[0]} does not answer", why=why, next_step="see whether the application runs, and its log"
    )
