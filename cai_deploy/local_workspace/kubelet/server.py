"""The kubelet's loop: a unix socket, its connections, and the signals of its children.

One thread and blocking-free: pods are made by fork, and a fork of a threaded process is a trap. It ends with its last
pod, when told, or when nobody watches any more and nothing runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cai_deploy.local_workspace.kubelet import client, kernel
from cai_deploy.local_workspace.kubelet.messages import PodSpec, PodStatus, decode, encode
from cai_deploy.local_workspace.kubelet.pods import PodTable

ALONE_SECONDS = 3.0


class Kubelet:
    """Serves one unix socket until there is nothing left to do."""

    def __init__(self, path: Path, *, isolated: bool) -> None:
        self._path = path
        self._isolated = isolated
        self._selector = selectors.DefaultSelector()
        self._buffers: dict[socket.socket, bytes] = {}
        self._watchers: set[socket.socket] = set()
        self._pods = PodTable(isolated=isolated, changed=self._tell)
        self._last_watched = time.monotonic()
        self._over = False

    def run(self) -> None:
        """Answer requests until the end."""
        self._wake_on_signals()
        path = self._path
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(64)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        while not self._over and not self._is_alone():
            due = self._pods.kill_overdue()
            for key, _ in self._selector.select(ALONE_SECONDS / 2 if due is None else due):
                key.data(key.fileobj)
            self._pods.reap()
        self._leave_word()
        with contextlib.suppress(FileNotFoundError):
            path.unlink()

    def _leave_word(self) -> None:
        """Ends that no server has seen yet are written down for the next one: a success must not become a loss."""
        ended = [asdict(status) for status in self._pods.all()]
        if ended:
            client.last_words(self._path).write_bytes(encode({"pods": ended}))

    def _wake_on_signals(self) -> None:
        reading, writing = socket.socketpair()
        reading.setblocking(False)
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        self._selector.register(reading, selectors.EVENT_READ, lambda _: reading.recv(4096))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Stray signals (a Ctrl-C in the terminal, a service manager) must not take the pods along.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self._wake = writing

    def _is_alone(self) -> bool:
        if self._watchers or self._pods.running():
            self._last_watched = time.monotonic()
        return time.monotonic() - self._last_watched > ALONE_SECONDS

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.settimeout(1.0)
        self._buffers[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ, self._read)

    def _close(self, connection: socket.socket) -> None:
        self._watchers.discard(connection)
        if self._buffers.pop(connection, None) is not None:
            self._selector.unregister(connection)
            connection.close()

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        *lines, rest = (self._buffers[connection] + data).split(b"\n")
        self._buffers[connection] = rest
        for line in lines:
            self._answer(connection, line)

    def _answer(self, connection: socket.socket, line: bytes) -> None:
        descriptors: list[int] = []
        try:
            request = decode(line)
            if request.get("op") == "socket":
                made = self._socket(request)
                descriptors.append(made.detach())
                reply: dict[str, Any] = {"ok": True}
            else:
                reply = {"ok": True, **self._do(connection, request)}
        except (OSError, ValueError, TypeError, KeyError) as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        try:
            if descriptors:
                socket.send_fds(connection, [encode(reply)], descriptors)
            else:
                connection.sendall(encode(reply))
        except OSError:
            self._close(connection)
        for fd in descriptors:
            os.close(fd)

    def _do(self, connection: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
        match request.get("op"):
            case "start":
                return {"pod": asdict(self._pods.start(PodSpec(**request["pod"])))}
            case "stop":
                self._pods.stop(request["name"], float(request["grace"]))
            case "remove":
                self._pods.remove(request["name"])
                self._over = len(self._pods) == 0
                return {"last": self._over}
            case "connect":
                self._pods.connect(request["name"], connected=bool(request["connected"]))
            case "list":
                return {"pods": [asdict(status) for status in self._pods.all()]}
            case "watch":
                self._watchers.add(connection)
                return {"pods": [asdict(status) for status in self._pods.all()]}
            case "exit":
                self._end_everything()
            case other:
                raise ValueError(f"unknown op {other!r}")
        return {}

    def _socket(self, request: dict[str, Any]) -> socket.socket:
        """A socket in the pod's network; with ``listen`` one that listens on that loopback port of the pod."""
        if not self._isolated:
            raise ValueError("a plain kubelet has no networks of its own")
        made = kernel.socket_in_network_of(self._pods.pid_of(request["name"]))
        if port := request.get("listen"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("127.0.0.1", int(port)))
            made.listen(64)
        return made

    def _end_everything(self) -> None:
        for status in self._pods.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(status.pid, signal.SIGUSR1)
        until = time.monotonic() + 5.0
        while self._pods.running() and time.monotonic() < until:
            time.sleep(0.005)
            self._pods.reap()
        self._over = True

    def _tell(self, status: PodStatus) -> None:
        for watcher in list(self._watchers):
            try:
                watcher.sendall(encode({"pod": asdict(status)}))
            except OSError:
                self._close(watcher)


def main(arguments: list[str]) -> int:
    """``python -m cai_deploy.local_workspace.kubelet isolated|plain SOCKET``."""
    kind, path = arguments
    # One kubelet on a socket: one that a crashed server had just begun to start may still be on its way.
    lock = os.open(Path(path).with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0
    try:
        Kubelet(Path(path), isolated=kind == "isolated").run()
    except OSError as error:
        print(f"kubelet: {error}", file=sys.stderr)
        return 1
    return 0
