"""Whether bytes get from one host to another and back: one listens and echoes, another knocks. For doctors.

One file and the standard library, sent to a host as ``host_control`` is. A port that a program of the host holds cannot
be listened on; that somebody accepts there says enough of the way.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
from typing import Any

CONNECT = 2.0
PIECE = 65536
"""Bytes: more than one packet, as a path that drops large ones lets small ones through."""


def listen(request: dict[str, Any]) -> dict[str, Any]:
    """Echo on each port for some seconds; those that somebody holds are told."""
    held: list[int] = []
    listening: list[socket.socket] = []
    for port in request["ports"]:
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("0.0.0.0", port))  # noqa: S104 (whoever knocks comes from outside)
        except OSError:
            door.close()
            held.append(port)
            continue
        door.listen()
        listening.append(door)
        threading.Thread(target=accept, args=(door,), daemon=True).start()
    time.sleep(request["seconds"])
    return {"held": held, "listened": len(listening)}


def accept(door: socket.socket) -> None:
    """Answer whoever knocks, one after the other."""
    while True:
        came, _ = door.accept()
        with came, contextlib.suppress(OSError):
            came.settimeout(CONNECT)
            while chunk := came.recv(PIECE):
                came.sendall(chunk)


def knock(request: dict[str, Any]) -> dict[str, Any]:
    """How each port of an address answers, tried again until ``seconds`` are over."""
    end = time.monotonic() + request["seconds"]
    found: dict[str, str] = {}
    while True:
        for port in request["ports"]:
            if found.get(str(port)) != "ok":
                found[str(port)] = try_once(request["address"], port)
        if set(found.values()) <= {"ok"} or time.monotonic() > end:
            return {"found": found}
        time.sleep(0.2)


def try_once(address: str, port: int) -> str:
    """``ok``, or what is wrong, in words."""
    sent = os.urandom(PIECE)
    silent = "no answer"
    try:
        with socket.create_connection((address, port), timeout=CONNECT) as way:
            threading.Thread(target=send, args=(way, sent), daemon=True).start()
            came, silent = b"", "it accepts and says nothing"
            while len(came) < len(sent):
                chunk = way.recv(PIECE)
                if not chunk:
                    return "something else answers"
                came += chunk
            return "ok" if came == sent else "something else answers"
    except ConnectionRefusedError:
        return "refused"
    except socket.timeout:  # noqa: UP041 (another class before Python 3.10)
        return silent
    except OSError as error:
        return str(error.strerror or error)


def send(way: socket.socket, sent: bytes) -> None:
    """While another reads: both would wait for each other."""
    with contextlib.suppress(OSError):
        way.sendall(sent)


if __name__ == "__main__":
    asked = json.loads(sys.stdin.buffer.readline())
    print(json.dumps({"listen": listen, "knock": knock}[sys.argv[1]](asked)), flush=True)
