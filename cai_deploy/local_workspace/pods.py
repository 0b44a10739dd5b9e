"""Pods as the life-cycles see them: start, wait for the end, stop, reach a port inside.

Applications go to a kubelet with the best walls this machine allows, job runs to a plain one on the host's network,
because they install packages. It knows workloads only by name, never which application or job they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import signal
import socket
import zlib
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cai_deploy.local_workspace.home import PLAIN, WALLED, Home
from cai_deploy.local_workspace.kubelet import members
from cai_deploy.local_workspace.kubelet.client import KubeletError, KubeletGone
from cai_deploy.local_workspace.kubelet.messages import PodSpec, PodStatus
from cai_deploy.local_workspace.kubelet_link import KubeletLink
from cai_deploy.local_workspace.pod_modes import PodMode, kubelet_command
from cai_deploy.local_workspace.store import Store

APPLICATION_PORT = 8100
HOST_ADDRESS = "127.0.0.1"
_TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Place:
    """Where a pod is reached."""

    address: str
    port: int


RECENT_PORTS = 5000
"""Ports that are not given out again for a while: a pod takes up its own some time after it was told."""


class PodUnreachable(Exception):
    """The pod has ended, or nothing listens there."""


class Pods:
    """Every pod of the workspace."""

    def __init__(self, home: Home, store: Store, mode: PodMode) -> None:
        self.mode = mode
        self._home = home
        self._store = store
        self._ends: dict[str, asyncio.Event] = {}
        self._cut_off: set[str] = set()
        self._ports: deque[int] = deque(maxlen=RECENT_PORTS)
        self._plain = self._link(PodMode.LOOPBACK, PLAIN)
        self._walled = self._link(mode, WALLED) if mode.isolated else self._plain

    def _link(self, mode: PodMode, name: str) -> KubeletLink:
        path = self._home.socket(name)
        log = self._home.logs / f"kubelet-{name}.log"
        return KubeletLink(kubelet_command(mode, str(path)), path, log, self._note)

    def _note(self, status: PodStatus) -> None:
        if status.state == "ended" and (end := self._ends.pop(status.name, None)):
            end.set()

    async def attach(self) -> None:
        """Find the pods that lived on while no server was there."""
        for link in {self._plain, self._walled}:
            await link.attach()

    def new_place(self) -> Place:
        """An address (and port) for the next application pod, not the one it had before."""
        number = self._store.count_up("pod-address")
        if self.mode.isolated:
            host = 2 + (number - 1) % 65000
            return Place(f"10.77.{host >> 8}.{host & 255}", APPLICATION_PORT)
        # Other workspaces of this machine share the loopback network: start where they hardly do.
        host = 1 + (zlib.crc32(str(self._home.root).encode()) + number - 1) % 65000
        port = next(port for port in iter(_free_port, None) if port not in self._ports)
        self._ports.append(port)
        return Place(f"127.77.{host >> 8}.{host & 255}", port)

    async def start(self, spec: PodSpec, *, walled: bool) -> None:
        """Run a pod; it is known under ``spec.name`` from here on."""
        if spec.scratch:
            Path(spec.scratch).mkdir(mode=0o700)
        await (self._walled if walled else self._plain).start(spec)

    def status(self, name: str) -> PodStatus | None:
        """The last that was heard of a pod."""
        link = self._link_of(name)
        return link.pods[name] if link else None

    def running(self) -> int:
        """How many pods run."""
        return sum(status.state == "running" for link in {self._plain, self._walled} for status in link.pods.values())

    async def wait_for_end(self, name: str) -> int | None:
        """Return when the pod has ended, with its exit code (None when it was lost with its kubelet)."""
        status = self.status(name)
        if status and status.state == "running":
            await self._ends.setdefault(name, asyncio.Event()).wait()
            status = self.status(name)
        return status.exit_code if status else None

    async def stop(self, name: str, grace: float) -> None:
        """SIGTERM, after ``grace`` seconds SIGKILL to all of it; returns when it is gone."""
        if link := self._link_of(name):
            await link.stop(name, grace)
            await self.wait_for_end(name)

    async def clear(self, name: str, workload: str, scratch: str) -> None:
        """Take away what an ended pod leaves: its place in the table, stray processes, its scratch directory."""
        link, status = self._link_of(name), self.status(name)
        code = status.exit_code if status else None
        if code is None or (link is self._plain and code > 128 and code != _TERMINATED):
            # Lost with its kubelet, or, without walls, killed: something may have outlived the pod's first process.
            await asyncio.to_thread(members.end_all, lambda: members.marked(workload))
        self._cut_off.discard(name)
        if link:
            await link.remove(name)
        if scratch:
            await asyncio.to_thread(remove_scratch, scratch)

    async def socket_into(self, name: str) -> socket.socket:
        """A socket that reaches ``127.0.0.1`` of the pod, not connected yet."""
        link = self._link_of(name)
        if link is None or link.pods[name].state == "ended":
            raise PodUnreachable(f"pod {name} has ended")
        if name in self._cut_off:
            raise PodUnreachable(f"pod {name} is cut off from the network")
        if link is self._plain:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            return await link.socket_into(name)
        except (OSError, KubeletError, KubeletGone) as error:
            raise PodUnreachable(str(error)) from error

    async def listener(self, name: str, port: int) -> socket.socket | None:
        """A socket that listens inside the pod, where the pod has a network of its own."""
        link = self._link_of(name)
        if link is None or link is self._plain or name in self._cut_off:
            return None
        with contextlib.suppress(OSError, KubeletError, KubeletGone):
            return await link.socket_into(name, listen=port)
        return None

    async def connect(self, name: str, *, connected: bool) -> None:
        """Pull a pod's cable out, or plug it in again. Only pods with a network of their own have one."""
        (self._cut_off.discard if connected else self._cut_off.add)(name)
        if (link := self._link_of(name)) and link is not self._plain and link.pods[name].state == "running":
            await link.connect(name, connected=connected)

    async def end_strangers(self, known: Collection[str]) -> None:
        """End pods that nobody knows: their records are gone, or were never written."""
        for name in [name for link in {self._plain, self._walled} for name in link.pods if name not in known]:
            await self.stop(name, 0.0)
            await self.clear(name, name.rpartition("-")[0], "")

    async def end_all(self) -> None:
        """End every pod and both kubelets."""
        for link in {self._plain, self._walled}:
            await link.exit()

    async def let_go(self) -> None:
        """Leave the pods running; a later server finds them."""
        for link in {self._plain, self._walled}:
            await link.let_go()

    def _link_of(self, name: str) -> KubeletLink | None:
        return next((link for link in (self._walled, self._plain) if name in link.pods), None)


def new_scratch() -> str:
    """The name of a private directory: short, as unix sockets in it have 107 bytes in all. Made with the pod."""
    while True:
        path = Path(f"/tmp/cai-{secrets.token_hex(4)}")  # noqa: S108 - made for the owner alone, or not at all
        if not path.exists():
            return str(path)


def remove_scratch(path: str) -> None:
    """Remove a pod's directory, if it was made and is still there."""
    shutil.rmtree(path, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST_ADDRESS, 0))
        return int(probe.getsockname()[1])
