"""The keeper of a node: a process of its own session, which outlives the SSH connection that started it.

It becomes the parent of all that its node leaves behind, ends it when the node's own process has ended, and writes down
how that was. One of several modules that are sent to a host together, see ``host_control``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from cai_deploy.node.host_boot_entry import take_away
from cai_deploy.node.host_files import remove
from cai_deploy.node.host_processes import KEPT_BY, POLL, PROCESS, end_all, end_descendants, lives, tell
from cai_deploy.node.host_records import forget, locked, read, records, write

PR_SET_CHILD_SUBREAPER = 36
FIRST_PORT = 8100
PORTS = 200


def detach(root: Path, file: Path, request: dict[str, Any], old: dict[str, Any] | None) -> int:
    """A new keeper's number. It leaves its record alone until its parent has written it, and lets go of the lock."""
    output = root / request["output"]
    output.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    try:
        os.setsid()
        keep_out(output)
        keep(root, file, request, old)
    except BaseException:  # noqa: BLE001 (nobody is there to see it but who reads what was printed)
        traceback.print_exc()
    finally:
        os._exit(0)


def keep_out(output: Path) -> None:
    """Nothing in common with the connection: it would stay open, or end us."""
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(written, 1)
    os.dup2(written, 2)
    os.closerange(3, 256)
    os.umask(0o022)


def keep(root: Path, file: Path, request: dict[str, Any], old: dict[str, Any] | None) -> None:
    """Run the node to its end, after that of ``old``; end what it leaves, and say how it was.

    One that ended well by itself and has a ``farewell`` takes along what that names, see ``remove``.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    told: list[int] = []
    node: list[subprocess.Popen[bytes]] = []

    def hand_on(number: int, _: object) -> None:
        told.append(number)
        for each in node:
            each.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hand_on)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if old:
        wait_for_end(old, request["seconds"])
    end_all(request["keeper"])
    status, why = 0, ""
    if not told:
        try:
            node.append(launch(root, file, request))
        except OSError as error:
            status, why = 127, str(error)
        for early in list(told):
            for each in node:
                each.send_signal(early)
    for each in node:
        status = each.wait()
    end_descendants()
    end_all(request["keeper"])
    with locked(file.parent):
        now = read(file)
        if now and now["pid"] == os.getpid():
            if now["stopping"] is not None:
                forget(file)
            elif node and status == 0 and "farewell" in request:
                take_away(root, request)  # a line that stays does nothing any more
                remove(root, {"cluster": request["cluster"], **request["farewell"]})
            else:
                write(file, {**now, "ended": {"status": status, "why": why, "at": time.time()}})


def launch(root: Path, file: Path, request: dict[str, Any]) -> subprocess.Popen[bytes]:
    """The node's own process, with a port that no other node here has."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SSH_")}
    with locked(file.parent):
        port = free_port(records(root, request["cluster"]))
        variables |= {**request["environment"], KEPT_BY: request["keeper"], "CDSW_APP_PORT": str(port)}
        variables[PROCESS] = f"{os.getpid()}.{socket.gethostname()}"
        node = subprocess.Popen(request["command"], cwd=root, env=variables, stdin=subprocess.DEVNULL)
        now = read(file)
        if now and now["pid"] == os.getpid():
            write(file, {**now, "port": port, "launched": time.time()})
    return node


def wait_for_end(old: dict[str, Any], seconds: float) -> None:
    """Tell a keeper to end, and kill it when it has not within so many seconds."""
    tell(old["pid"], signal.SIGTERM)
    end = time.monotonic() + seconds
    while lives(old) and time.monotonic() < end:
        time.sleep(POLL)
    if lives(old):
        tell(-old["pid"], signal.SIGKILL)


def free_port(others: list[dict[str, Any]]) -> int:
    """A port for the HTTP of a node, that neither another node of ours nor any program here has."""
    taken = {record.get("port") for record in others if lives(record)}
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("0.0.0.0", port))  # noqa: S104 (nothing listens; this only asks)
            except OSError:
                continue
        if port not in taken:
            return port
    return 0
