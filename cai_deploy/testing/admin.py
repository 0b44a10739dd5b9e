"""Speaks to the workspace's own endpoints (``/local/v1``), which are not part of the platform's API."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from cai_deploy.errors import ConfigError, DeployError

TIMEOUT = 30.0


class Admin:
    """The endpoints of one workspace, with its key."""

    def __init__(self, host: str, api_key: str) -> None:
        self._port = urlsplit(host).port
        self._api_key = api_key

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request. A refusal is a ConfigError with the workspace's own words."""
        # Always by address: neither a proxy setting nor an IPv6 localhost may come in between.
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/local/v1/{path}", text, {"Authorization": f"Bearer {self._api_key}"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DeployError("the local workspace does not answer", why=str(error)) from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise ConfigError(f"the local workspace refuses {method} {path}", why=str(answer.get("message")))
        return dict(answer)
