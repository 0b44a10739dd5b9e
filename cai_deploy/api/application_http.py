"""The door of an application: its own URL, asked with the key as a browser would ask with a login.

It must not know what runs behind the door. Nothing is tried again here: an application that is starting does not answer
for minutes, and whoever waits for it polls anyway.
"""

from __future__ import annotations

import re
from typing import Any

import requests

from cai_deploy.api.http_session import LOOPBACK, normalise_host, open_session, trusted
from cai_deploy.errors import ConfigError, DeployError, Fault

TIMEOUT = 10.0
"""Seconds. What answers at all answers at once; who polls should not hang on who does not."""

SUBDOMAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class ApplicationNotAnswering(DeployError):
    """Nothing usable came from an application's URL: it is not up yet, stopped, or behind a login."""

    fault: Fault = "platform"
    retry_helps = True


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
    """Reads from applications of one workspace with one key. Several threads may use it at once."""

    def __init__(self, host: str, api_key: str, *, ca_bundle: str | None = None, timeout: float = TIMEOUT) -> None:
        """``timeout`` in seconds. Raises ConfigError or AuthenticationError for what cannot be used."""
        self._host = normalise_host(host)
        self._session = open_session(api_key)
        self._verify = trusted(ca_bundle)
        self._timeout = timeout

    def get_json(self, subdomain: str, path: str) -> dict[str, Any]:
        """The JSON object at ``path`` of the application at ``subdomain``.

        Raises ApplicationNotAnswering for a broken connection, another status than 200, and anything but a JSON object.
        """
        url = f"{application_url(self._host, subdomain)}/{path.lstrip('/')}"
        try:
            # The workspace sends strangers to its login by a redirect: an answer of its own, not to be followed.
            answer = self._session.get(url, timeout=self._timeout, verify=self._verify, allow_redirects=False)
        except requests.RequestException as error:
            raise _not_answering(url, "no connection, or none that lasted") from error
        if 300 <= answer.status_code < 400:
            raise _not_answering(url, "a redirect, perhaps to a login page")
        if answer.status_code != 200:
            raise _not_answering(url, f"status {answer.status_code}")
        try:
            fields = answer.json()
        except ValueError as error:
            raise _not_answering(url, "a page instead of JSON, perhaps of a login") from error
        if not isinstance(fields, dict):
            raise _not_answering(url, "JSON that is not an object")
        return fields


def _not_answering(url: str, why: str) -> ApplicationNotAnswering:
    return ApplicationNotAnswering(
        f"{url.partition('?')[0]} does not answer", why=why, next_step="see whether the application runs, and its log"
    )
