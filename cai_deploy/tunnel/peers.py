"""Whose program is at the other end of a connection within this machine, where the system tells.

A port on the loopback address is open to everybody who has an account here. What opens a cluster is added to requests
that come through ours, so it has to be known whose they are.
"""

from __future__ import annotations

import os
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LOCAL, REMOTE, OWNER = 1, 2, 7
"""Columns of those tables."""

SYSTEM = 0
"""The administrator, who may do everything here anyway."""


def is_ours(peer_port: int, own_port: int, tables: tuple[Path, ...] = TABLES) -> bool:
    """Whether the program that connected from ``peer_port`` to ``own_port`` is this user's, or the administrator's.

    True where the system does not say it of anybody.
    """
    readable = [table for table in tables if table.is_file()]
    owners = [owner for table in readable for owner in _owners(table, peer_port, own_port)]
    return not readable or any(owner in (os.getuid(), SYSTEM) for owner in owners)


def _owners(table: Path, peer_port: int, own_port: int) -> list[int]:
    rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    return [int(row[OWNER]) for row in rows if (_port(row[LOCAL]), _port(row[REMOTE])) == (peer_port, own_port)]


def _port(address: str) -> int:
    """``0100007F:1F90`` is 127.0.0.1:8080."""
    return int(address.rpartition(":")[2], 16)
