"""A path in the pods' network that accepts connections and drops what is sent over them, as a strict mesh does.

The head's cable takes small packets alone: a handshake of TCP passes, and nothing that carries more than a few bytes.
No firewall is needed for that, and nobody tells either side.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.conftest import Shell

SMALLEST = 68
"""Bytes of a packet; a handshake has 60."""

USUAL = 1500


@contextlib.contextmanager
def before_the_head(shell: Shell) -> Iterator[None]:
    """Within a ``with`` block, nobody gets bytes to the head from another pod, or from there."""
    inside = processes_of(shell, "/gcs_server")[0]
    # The first of them: it forks the pods, which go by the same name for a while.
    kubelet = processes_of(shell, "cai_deploy.local_workspace.kubelet")[0]
    number = re.search(r"eth0@if(\d+)", in_network(inside, "-o", "link", "show", "eth0"))
    assert number
    cable = re.search(rf"^{number[1]}: (\w+)@", in_network(kubelet, "-o", "link"), re.MULTILINE)
    assert cable
    in_network(kubelet, "link", "set", cable[1], "mtu", str(SMALLEST))
    try:
        yield
    finally:
        in_network(kubelet, "link", "set", cable[1], "mtu", str(USUAL))


def processes_of(shell: Shell, word: str) -> list[int]:
    """The workspace's processes with ``word`` in their command line, the oldest first."""
    found = []
    for pid in shell.processes():
        with contextlib.suppress(OSError):
            if word in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(pid)
    return sorted(found)


def in_network(pid: int, *words: str) -> str:
    """What ``ip`` says in the network of the process ``pid``."""
    command = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
