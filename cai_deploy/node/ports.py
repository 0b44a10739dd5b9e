"""Which ports a node uses: the pinned ones, and for a head's others the usual number or the next that is free.

Two clusters on one machine, or a notebook with a Ray of its own, must not end a head that nobody told to use 6379. A
pinned port that is held is found out before Ray starts, which would need half a minute to end over it, in many words.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping

from cai_deploy.errors import DeployError
from cai_deploy.node.port_holder import holder_of
from cai_deploy.node_settings import NODE_PORTS, WORKER_PORTS

HEAD_PORTS = ("gcs", "dashboard", "client")
"""What the head itself opens at its start; the others belong to Ray's own choice or to applications later."""

CALLED_FROM_OUTSIDE = (*(name for name in NODE_PORTS if name != "runtime_env_agent"), *WORKER_PORTS)
"""Of these ports, those that other nodes use."""

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
    """The ports of a head to use, by name. Raises PortTaken for a pinned one that is held."""
    check(wanted, pinned, 1, free)
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        if name not in HEAD_PORTS or (free(port) and port not in chosen.values()):
            chosen[name] = port
        elif name in pinned:
            raise _taken(name, port)
        else:
            chosen[name] = _next_free(port, {*chosen.values(), *wanted.values()}, free)
    return chosen


def check(
    wanted: Mapping[str, int], pinned: Collection[str], processes: int, free: Callable[[int], bool] = is_free
) -> None:
    """Raises PortTaken for a pinned port of any node that is held, and when ``processes`` workers find no ports."""
    for name in NODE_PORTS:
        if name in wanted and name in pinned and not free(wanted[name]):
            raise _taken(name, wanted[name])
    if not all(name in wanted for name in WORKER_PORTS):
        return
    first, last = (wanted[name] for name in WORKER_PORTS)
    others = {port for name, port in wanted.items() if name not in WORKER_PORTS}
    usable = sum(1 for port in range(first, last + 1) if port not in others and free(port))
    if usable < processes:
        raise PortTaken(
            f"of the worker ports {first} to {last}, {usable} are free and {processes} are needed",
            why="each worker process takes one, and at least one for each CPU is started",
            next_step="choose a wider range: ports.worker_min and ports.worker_max",
        )


def metrics_variables(free: Callable[[int], bool], given: Collection[str] = ()) -> dict[str, str]:
    """The variables that move a head's metrics ports out of another head's way, but for those that are ``given``.

    None when the usual ports are free.
    """
    taken = set(METRICS_PORTS.values())
    held = {name: port for name, port in METRICS_PORTS.items() if name not in given and not free(port)}
    return {name: str(_next_free(port, taken, free)) for name, port in held.items()}


def _next_free(port: int, taken: Collection[int], free: Callable[[int], bool]) -> int:
    found = next((other for other in range(port + 1, port + TRIES) if other not in taken and free(other)), None)
    if found is None:
        raise PortTaken(f"no port is free between {port} and {port + TRIES}")
    return found


def _taken(name: str, port: int) -> PortTaken:
    holder = holder_of(port)
    return PortTaken(
        f"port {port} ({name}) is held by another program" + (f": {holder}" if holder else ""),
        next_step=f"end that program, or choose another ports.{name}",
    )
