"""The other end of a kubelet's socket: one call, one answer. Blocking, so call it from a thread where that matters."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Any

from cai_deploy.local_workspace.kubelet.messages import decode, encode


class KubeletError(Exception):
    """The kubelet refused a request."""


class KubeletGone(Exception):
    """Nobody answers on the socket."""


def call(path: Path, request: dict[str, Any], *, timeout: float = 30.0) -> dict[str, Any]:
    """Send ``request`` and return the answer."""
    reply, descriptors = _exchange(path, request, timeout)
    for fd in descriptors:
        os.close(fd)
    return reply


def call_for_socket(path: Path, request: dict[str, Any], *, timeout: float = 30.0) -> socket.socket:
    """Send a ``socket`` request and return the socket that comes back."""
    _, descriptors = _exchange(path, request, timeout)
    if len(descriptors) != 1:
        raise KubeletError("the answer brought no socket")
    return socket.socket(fileno=descriptors[0])


def last_words(path: Path) -> Path:
    """Where a kubelet that ends alone writes down what became of its pods."""
    return path.with_suffix(".ended")


def processes(connection: socket.socket) -> tuple[int, ...]:
    """The kubelet at the other end of a connection and the leader of its session, which brought it up."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid = struct.unpack("3i", credentials)[0]
    try:
        return pid, os.getsid(pid)
    except ProcessLookupError:
        return (pid,)


def processes_at(path: Path) -> tuple[int, ...]:
    """The processes of the kubelet that listens on ``path``; none when nobody does."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return ()
        return processes(connection)


def _exchange(path: Path, request: dict[str, Any], timeout: float) -> tuple[dict[str, Any], list[int]]:
    descriptors: list[int] = []
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            connection.sendall(encode(request))
            data = b""
            while not data.endswith(b"\n"):
                piece, fds, _, _ = socket.recv_fds(connection, 1 << 16, 4)
                descriptors += fds
                if not piece:
                    raise KubeletGone(str(path))
                data += piece
        except OSError as error:
            raise KubeletGone(f"{path}: {error}") from error
    reply = decode(data)
    if "error" in reply:
        raise KubeletError(str(reply["error"]))
    return reply, descriptors
