"""What lies beneath the transport: something that sends one request and brings its answer.

It must not know the API, nor what is tried again: that is ``transport.py``'s. A session of requests is a wire as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import requests


class Wire(Protocol):
    """Sends requests. Several threads may use it at once."""

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        json: Any = None,
        files: Any = None,
        timeout: Any = None,
        verify: Any = None,
        allow_redirects: bool = True,
    ) -> requests.Response:
        """The answer, whatever its status. Raises requests.RequestException when there is none."""
        ...


Files = Mapping[str, tuple[str, bytes, str]]
"""Parts of a form, as requests takes them: the name of the part -> the file's name, its content and its type."""
