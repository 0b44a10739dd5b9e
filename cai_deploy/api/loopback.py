"""Names below ``localhost`` are this machine (RFC 6761), but glibc's resolver does not know it.

The connection goes to 127.0.0.1 and the name stays in the Host header, by which a workspace tells its applications
apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter


def is_loopback_name(url: str) -> bool:
    """Whether ``url`` names this machine by ``localhost`` or a name below it."""
    name = urlsplit(url).hostname or ""
    return name == "localhost" or name.endswith(".localhost")


class LoopbackAdapter(HTTPAdapter):
    """Sends requests for ``*.localhost`` to 127.0.0.1."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """As HTTPAdapter.send."""
        asked = request.url or ""
        url = urlsplit(asked)
        if is_loopback_name(asked):
            request.headers.setdefault("Host", url.netloc)
            request.url = urlunsplit(url._replace(netloc=f"127.0.0.1:{url.port or 80}"))
        response = super().send(request, stream, timeout, verify, cert, proxies)
        response.url = asked
        return response
