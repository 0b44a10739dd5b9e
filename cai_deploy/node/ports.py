"""Which ports a head uses: the pinned ones, and for the others the usual number or the next that is free.

Two clusters on one machine, or a notebook with a Ray of its own, must not end a head that nobody told to use 6379.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping

from cai_deploy.errors import DeployError

HEAD_PORTS = ("gcs", "dashboard", "client")
"""What the head itself opens at its start; the others belong to Ray's own choice or to applications later."""

METRICS_PORTS = {"AUTOSCALER_METRIC_PORT": 44217, "DASHBOARD_METRIC_PORT": 44227}
"""Ray has no flags for these, only variables."""

TRIES = 200


class PortTaken(DeployError):
    """A port that must be used is held by another program."""


def is_free(port: int) -> bool:
    """Whether a server can listen on ``port`` on every address of this pod."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 (nothing listens; this only asks)
        except OSError:
            return False
        return True


def choose(wanted: Mapping[str, int], pinned: Collection[str], free: Callable[[int], bool] = is_free) -> dict[str, int]:
    """The ports to use, by name. Raises PortTaken for a pinned one that is held."""
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        if name not in HEAD_PORTS or (free(port) and port not in chosen.values()):
            chosen[name] = port
        elif name in pinned:
            raise PortTaken(
                f"port {port} ({name}) is held by another program",
                next_step=f"end that program, or choose another ports.{name}",
            )
        else:
            chosen[name] = _next_free(port, {*chosen.values(), *wanted.values()}, free)
    return chosen


def metrics_variables(free: Callable[[int], bool]) -> dict[str, str]:
    """The variables that move a head's metrics ports out of another head's way; none when the usual ones are free."""
    taken = set(METRICS_PORTS.values())
    return {name: str(_next_free(port, taken, free)) for name, port in METRICS_PORTS.items() if not free(port)}


def _next_free(port: int, taken: Collection[int], free: Callable[[int], bool]) -> int:
    found = next((other for other in range(port + 1, port + TRIES) if other not in taken and free(other)), None)
    if found is None:
        raise PortTaken(f"no port is free between {port} and {port + TRIES}")
    return found
