"""Ports for servers of tests that have to know theirs beforehand.

They lie below those that the kernel gives to connections that go out, of which one could be given this very port in the
moment between the look and the server.
"""

from __future__ import annotations

import random
import socket

FIRST, END = 12_000, 30_000
TRIES = 200


def free_port() -> int:
    """A port on which nobody listens, on any address."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many, all different."""
    found: list[int] = []
    for port in random.sample(range(FIRST, END), TRIES + count):
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError(f"hardly any port is free between {FIRST} and {END}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 (nobody listens; this only asks)
        except OSError:
            return False
        return True
