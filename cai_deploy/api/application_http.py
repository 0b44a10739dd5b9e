"""Asking an application itself, at its own address, instead of the workspace's API.

Answers come from what runs in a pod, through the platform's login in front of it, so anything but JSON means that the
application is not there (yet). Nothing is retried: who asks here is polling.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests

from cai_deploy.api.transport import open_session
from cai_deploy.errors import DeployError, Fault

TIMEOUT = 5.0
"""Seconds. Whoever polls would rather ask again than wait for a pod that is going away."""


class ApplicationNotAnswering(DeployError):
    """The application did not answer with JSON: it is starting, gone, or behind a login that the key does not open."""

    fault: Fault = "platform"
    retry_helps = True


def application_url(host: str, subdomain: str) -> str:
    """The address of an application; the API does not give it. ``https://<subdomain>.<domain>``."""
    url = urlsplit(host)
    return urlunsplit((url.scheme, f"{subdomain}.{url.netloc}", "", "", ""))


class ApplicationHttp:
    """GETs from applications of the workspace at ``host``."""

    def __init__(self, host: str, api_key: str) -> None:
        self._host = host
        self._api_key = api_key

    def get_json(self, subdomain: str, path: str) -> dict[str, Any]:
        """The JSON object at ``path`` of an application. Raises ApplicationNotAnswering."""
        url = application_url(self._host, subdomain) + path
        try:
            with open_session(self._host) as session:
                response = session.get(url, headers={"Authorization": f"Bearer {self._api_key}"}, timeout=TIMEOUT)
            data = response.json() if response.status_code == requests.codes.ok else None
        except (requests.RequestException, ValueError) as error:
            raise ApplicationNotAnswering(f"{url} does not answer", why=type(error).__name__) from error
        if not isinstance(data, dict):
            raise ApplicationNotAnswering(f"{url} does not answer", why=f"status {response.status_code}")
        return data
