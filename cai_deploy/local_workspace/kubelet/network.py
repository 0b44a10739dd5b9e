"""The pods' own network: one bridge, and a cable from it to each pod. Nothing of it is visible on the host.

There is no default route, neither here nor in the pods: no traffic can leave.
"""

from __future__ import annotations

import os
import shutil
import subprocess

BRIDGE = "br0"
BRIDGE_ADDRESS = "10.77.0.1"
PREFIX_LENGTH = 16


def ip_program() -> str:
    """Where ``ip`` is; an ordinary user's PATH often lacks the directories for system programs."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
    return shutil.which("ip", path=search) or "ip"


def make_bridge() -> None:
    """Lay the bridge in this process's network namespace."""
    _ip(
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        f"addr add {BRIDGE_ADDRESS}/{PREFIX_LENGTH} dev {BRIDGE}",
        f"link set {BRIDGE} up",
    )


def plug_in(cable: str, pid: int) -> None:
    """Lay a cable from the bridge to the network namespace of ``pid``, where its end is called eth0."""
    _ip(f"link add {cable} type veth peer name eth0 netns {pid}", f"link set {cable} master {BRIDGE} up")


def switch(cable: str, *, on: bool) -> None:
    """Let a cable carry traffic, or none."""
    _ip(f"link set {cable} {'up' if on else 'down'}")


def configure_pod(address: str) -> None:
    """Called inside a pod: its loopback and its address."""
    _ip("link set lo up", f"addr add {address}/{PREFIX_LENGTH} dev eth0", "link set eth0 up")


def _ip(*commands: str) -> None:
    done = subprocess.run(
        [ip_program(), "-batch", "-"], input="\n".join(commands), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise OSError(f"ip: {done.stderr.strip()}")
