"""Which walls this machine lets us put around a pod, found by trying, best first.

root and userns give each application a network, processes, mounts and a host name of its own; loopback only an
address. It knows how a kubelet is started in each mode, and nothing of pods or applications.
"""

from __future__ import annotations

import os
import sys
from enum import Enum

from cai_deploy.errors import CommandFailed, ConfigError
from cai_deploy.local_workspace.kubelet import network
from cai_deploy.shell import run

OVERRIDE = "CAI_DEPLOY_POD_MODE"


class PodMode(str, Enum):
    """How an application's pod is walled in."""

    ROOT = "root"
    USERNS = "userns"
    LOOPBACK = "loopback"

    @property
    def isolated(self) -> bool:
        """Whether pods have a network of their own."""
        return self is not PodMode.LOOPBACK


SAID = {
    PodMode.ROOT: "each application in namespaces of its own",
    PodMode.USERNS: "each application in namespaces of its own, below a user namespace",
    PodMode.LOOPBACK: "each application as plain processes with an address of its own",
}

_NAMESPACES = ["--net", "--mount", "--pid", "--uts", "--fork", "--kill-child=SIGKILL", "--mount-proc"]

# All that a pod will need, once: a bridge, a cable, nested namespaces, their own /proc, /dev/shm and host name.
_TRIAL = """
set -e
"$IP" link set lo up
"$IP" link add br0 type bridge
"$IP" link add pod1 type veth peer name eth0
"$IP" link set pod1 master br0
exec unshare --net --mount --pid --uts --fork --kill-child=SIGKILL --mount-proc sh -ec '
    mount -t tmpfs -o size=1m tmpfs /dev/shm
    hostname pod
    "$IP" link set lo up'
"""


def choose() -> tuple[PodMode, str]:
    """The best mode that works here, and one line that says so (and why not a better one)."""
    forced = os.environ.get(OVERRIDE)
    if forced:
        try:
            mode = PodMode(forced)
        except ValueError:
            raise ConfigError(
                f"{OVERRIDE}={forced} is no pod mode", next_step="use root, userns or loopback, or unset it"
            ) from None
        refusal = _refusal(mode)
        if refusal:
            raise ConfigError(f"pod mode {forced} does not work here", why=refusal, next_step=f"unset {OVERRIDE}")
        return mode, f"{mode.value}, {SAID[mode]} ({OVERRIDE} asks for it)"
    reasons = []
    for mode in (PodMode.ROOT, PodMode.USERNS):
        if (mode is PodMode.ROOT) != (os.geteuid() == 0):
            continue
        refusal = _refusal(mode)
        if not refusal:
            return mode, f"{mode.value}, {SAID[mode]}"
        reasons.append(refusal.splitlines()[-1])
    return PodMode.LOOPBACK, f"loopback, {SAID[PodMode.LOOPBACK]} (no namespaces: {'; '.join(reasons)})"


def namespaces_command(mode: PodMode) -> list[str]:
    """What goes before a command so that it becomes PID 1 of a kubelet's namespaces."""
    if not mode.isolated:
        return []
    user = ["--user", "--map-root-user"] if mode is PodMode.USERNS else []
    return ["unshare", *user, *_NAMESPACES]


def kubelet_command(mode: PodMode, socket_path: str) -> list[str]:
    """The program that keeps pods in ``mode``."""
    kind = "isolated" if mode.isolated else "plain"
    module = "cai_deploy.local_workspace.kubelet"
    return [*namespaces_command(mode), sys.executable, "-m", module, kind, socket_path]


def _refusal(mode: PodMode) -> str:
    """Why ``mode`` does not work on this machine; empty when it does."""
    if not mode.isolated:
        return ""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
    environment = {"PATH": search, "IP": network.ip_program()}
    try:
        run([*namespaces_command(mode), "sh", "-c", _TRIAL], env=environment, timeout=5)
    except CommandFailed as error:
        return error.output_tail or str(error)
    return ""
