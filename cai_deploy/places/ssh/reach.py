"""The doors of nodes, at their own addresses where we get there, and through SSH to the head's host where we do not.

A door that is filtered is one that SSH has to lead to; one that refuses is reached, and has nobody behind it yet.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from cai_deploy.access import Access, NoAnswer
from cai_deploy.errors import DeployError
from cai_deploy.places.direct_http import DirectHttp

TRY = 1.0


class ReachedHttp:
    """Asks nodes over plain HTTP; ``forward`` opens a port here that leads to an address through the head's host."""

    def __init__(self, forward: Callable[[str, int], int]) -> None:
        self._http = DirectHttp()
        self._forward = forward
        self._direct: dict[str, bool] = {}
        self._lock = threading.Lock()

    def get_json(self, name: str, path: str, /, *, token: str) -> dict[str, Any]:
        """See ``Doors``."""
        return self._http.get_json(self.reached(name), path, token=token)

    def post_json(self, name: str, path: str, body: Mapping[str, Any], /, *, token: str) -> dict[str, Any]:
        """See ``Doors``."""
        return self._http.post_json(self.reached(name), path, body, token=token)

    def access(self, name: str, token: str, /) -> Access:
        """See ``Doors``; as long as this process lives, where SSH leads there."""
        return self._http.access(self.reached(name), token)

    def reached(self, name: str) -> str:
        """Where the door called ``name`` is reached from here. Raises NoAnswer."""
        host, _, port = name.rpartition(":")
        with self._lock:
            if name not in self._direct:
                self._direct[name] = is_open(host, int(port))
        if self._direct[name]:
            return name
        try:
            return f"127.0.0.1:{self._forward(host, int(port))}"
        except DeployError as error:
            raise NoAnswer(f"{name} is not reached from here", why=str(error), next_step=error.next_step) from error


def is_open(host: str, port: int) -> bool:
    """Whether anything at all answers there, be it with a refusal."""
    try:
        with socket.create_connection((host, port), timeout=TRY):
            return True
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
