"""``python3 -m cai_deploy.node.host_boot CLUSTER``, in a host's directory: starts again what ran before its boot.

A node that ended while its host was up is not touched: why it did is for people to see. What a node was started with
stands beside its record, so nobody has to be asked. A boot gets here before the host has all its addresses, a VPN's
above all, so they are waited for.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cai_deploy.node import host_control
from cai_deploy.node.host_processes import boot
from cai_deploy.node.host_records import records

LONGEST_WAIT = 120.0
"""Seconds. A node whose address has not come by then is started all the same: it says what is wrong."""

LOOK = 0.5


def start_again(root: Path, cluster: str, *, wait: float = LONGEST_WAIT) -> list[dict[str, Any]]:
    """Start those nodes that an earlier boot of this host had, once it has their addresses."""
    now = boot()
    before = [record for record in records(root, cluster) if record.get("boot") != now]
    wait_for({str(record["address"]) for record in before if record.get("address")}, wait)
    told = {"cluster": cluster, "replace": False, "seconds": 0}
    return [host_control.start(root, {**told, "node": record["node"]}) for record in before]


def wait_for(addresses: Iterable[str], seconds: float) -> None:
    """Until this host has all of them, or so many seconds are over."""
    end = time.monotonic() + seconds
    while not all(map(is_here, addresses)) and time.monotonic() < end:
        time.sleep(LOOK)


def is_here(address: str) -> bool:
    """Whether a program of this host can listen there."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
        return True


def main() -> int:
    """Say how many."""
    started = start_again(Path.cwd(), sys.argv[1])
    print(f"{len(started)} nodes of cluster {sys.argv[1]} started")
    return 0


if __name__ == "__main__":
    sys.exit(main())
