"""Opening the place: with the user's known hosts, and with what is done at a first contact."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from cai_deploy.places.ssh.connections import Connections
from cai_deploy.places.ssh.known_hosts import KnownHosts
from cai_deploy.places.ssh.place import SshPlace
from cai_deploy.ssh_hosts import ACCEPT_NEW


def open_place(checkout: Path, say: Callable[[str], None]) -> SshPlace:
    """The place, for somebody who stands in ``checkout``."""
    return SshPlace(checkout, open_connections(say), say=say)


def open_connections(say: Callable[[str], None]) -> Connections:
    """To any host."""
    return Connections(KnownHosts(_trust(say)))


def _trust(say: Callable[[str], None]) -> Callable[[str], bool]:
    def accept(told: str) -> bool:
        say(f"{told}; it is trusted from now on")
        return True

    def ask(told: str) -> bool:
        print(f"{told}. Trust it? [yes/no] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() == "yes"

    if os.environ.get(ACCEPT_NEW) == "1":
        return accept
    return ask if sys.stdin.isatty() and sys.stderr.isatty() else lambda _: False
