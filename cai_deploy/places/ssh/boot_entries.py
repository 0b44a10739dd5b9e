"""What has machines start a cluster's nodes again when they boot, as entries that can be shown, written and taken away.

This machine and hosts over SSH answer alike, see ``node.host_boot_entry``. It must not know of SSH, which a machine
that joins by hand need not have.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cai_deploy import on_boot
from cai_deploy.errors import DeployError
from cai_deploy.node.host_boot_entry import VERBS
from cai_deploy.ssh_hosts import SshHost

Asked = Callable[[str], Mapping[str, Any]]
"""Does what a verb says, and answers."""


class NoBootEntry(DeployError):
    """A machine does not take an entry for its boot, or does not let go of one."""

    def __init__(self, machine: str, why: str) -> None:
        super().__init__(
            f"{machine} cannot be told what to start when it boots",
            why=why,
            next_step="mend that, or put there by hand what `python -m cai_deploy boot` prints",
        )


@dataclass(frozen=True)
class BootEntry:
    """One machine's. ``stands`` says that it is there already; ``note``, "" for none, what it needs besides."""

    machine: str
    where: str
    text: str
    stands: bool
    note: str
    ask: Asked

    def write(self) -> None:
        """Put it there. Raises NoBootEntry."""
        answered(self.machine, self.ask("write"))


def entry_of(machine: str, ask: Asked) -> BootEntry:
    """How it is now; nothing is changed. Raises NoBootEntry."""
    told = answered(machine, ask("look"))
    return BootEntry(machine, told["where"], told["text"], told["stands"], told["note"], ask)


def entry_here(directory: Path, cluster: str) -> BootEntry:
    """That of this machine, for the workers whose ``directory`` it has."""
    host = SshHost(address="localhost", directory=str(directory), python=os.path.realpath(sys.executable))
    request = {"cluster": cluster, "command": on_boot.command(host, cluster)}
    return entry_of("this machine", lambda verb: VERBS[verb](directory, request))


def answered(machine: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a machine told. Raises NoBootEntry where that is why it did not."""
    if told["why"]:
        raise NoBootEntry(machine, str(told["why"]))
    return told
