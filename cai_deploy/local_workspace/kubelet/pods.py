"""The table of pods of one kubelet: start, stop, reap. Single-threaded, since pods are made by fork.

It knows no sockets and no protocol: ``server`` turns requests into these calls and changes into messages.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cai_deploy.local_workspace.kubelet import network
from cai_deploy.local_workspace.kubelet.messages import PodSpec, PodStatus
from cai_deploy.local_workspace.kubelet.pod_process import become_pod, exit_code, fork_pod

START_TIMEOUT = 10.0


@dataclass
class _Pod:
    status: PodStatus
    kill_at: float | None = None
    cable: str = ""


class PodTable:
    """The pods of this kubelet by name; ended ones stay until removed, so that no end goes unseen."""

    def __init__(self, *, isolated: bool, changed: Callable[[PodStatus], None]) -> None:
        self._isolated = isolated
        self._changed = changed
        self._pods: dict[str, _Pod] = {}
        self._cables = 0
        if isolated:
            network.make_bridge()

    def __len__(self) -> int:
        return len(self._pods)

    def running(self) -> list[PodStatus]:
        """The pods that have not ended."""
        return [pod.status for pod in self._pods.values() if pod.status.state == "running"]

    def all(self) -> list[PodStatus]:
        """Every pod in the table."""
        return [pod.status for pod in self._pods.values()]

    def start(self, spec: PodSpec) -> PodStatus:
        """Fork a pod; OSError or ValueError when that cannot be."""
        if spec.name in self._pods:
            raise ValueError(f"there is a pod {spec.name} already")
        _note_start(spec)
        ready_read, ready = os.pipe()
        go, go_write = os.pipe()
        cable = ""
        try:
            pid = fork_pod()
            if pid == 0:
                os.close(ready_read)
                os.close(go_write)
                become_pod(spec, ready=ready, go=go, isolated=self._isolated)
            if self._isolated:
                try:
                    cable = self._lay_cable(pid, ready_read, go_write)
                except OSError:
                    _send(pid, signal.SIGKILL)
                    raise
        finally:
            for fd in (ready_read, ready, go, go_write):
                os.close(fd)
        status = PodStatus(spec.name, pid, spec.address)
        self._pods[spec.name] = _Pod(status, cable=cable)
        return status

    def _lay_cable(self, pid: int, ready: int, go: int) -> str:
        """Once the pod has its namespaces, lay its cable. When that fails, the closed ``go`` ends the pod."""
        if not select.select([ready], [], [], START_TIMEOUT)[0]:
            raise TimeoutError("the pod's namespaces did not come up")
        self._cables += 1
        cable = f"pod{self._cables}"
        network.plug_in(cable, pid)
        os.write(go, b"1")
        return cable

    def stop(self, name: str, grace: float) -> None:
        """SIGTERM to the workload; after ``grace`` seconds everything of the pod is killed."""
        pod = self._get(name)
        if pod.status.state == "running":
            first_time = pod.kill_at is None
            pod.kill_at = min(pod.kill_at or float("inf"), time.monotonic() + grace)
            if first_time:
                _send(pod.status.pid, signal.SIGTERM)

    def connect(self, name: str, *, connected: bool) -> None:
        """Pull a running pod's cable out, or plug it in again."""
        self.pid_of(name)
        if not self._get(name).cable:
            raise ValueError("a plain kubelet has no networks of its own")
        network.switch(self._get(name).cable, on=connected)

    def remove(self, name: str) -> None:
        """Forget an ended pod."""
        if self._get(name).status.state == "running":
            raise ValueError(f"pod {name} is running")
        del self._pods[name]

    def pid_of(self, name: str) -> int:
        """The first process of a running pod."""
        status = self._get(name).status
        if status.state != "running":
            raise ValueError(f"pod {name} has ended")
        return status.pid

    def reap(self) -> None:
        """Collect every dead child. In an isolated kubelet strangers land here too, as PID 1's children."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                for pod in self._pods.values():
                    if pod.status.pid == pid and pod.status.state == "running":
                        pod.status.state, pod.status.exit_code = "ended", exit_code(status)
                        self._changed(pod.status)

    def kill_overdue(self) -> float | None:
        """End pods past their grace; the seconds until the next one is due."""
        now = time.monotonic()
        waiting = [pod for pod in self._pods.values() if pod.kill_at and pod.status.state == "running"]
        for pod in waiting:
            if pod.kill_at is not None and pod.kill_at <= now:
                _send(pod.status.pid, signal.SIGUSR1)
                pod.kill_at = now + 1.0
        return min((max(0.0, (pod.kill_at or now) - now) for pod in waiting), default=None)

    def _get(self, name: str) -> _Pod:
        try:
            return self._pods[name]
        except KeyError:
            raise ValueError(f"no pod {name}") from None


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _note_start(spec: PodSpec) -> None:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with Path(spec.log).open("a", encoding="utf-8") as log:
        log.write(f"--- {now} pod {spec.name} starts at {spec.address or 'the host'}\n")
