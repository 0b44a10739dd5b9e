"""Processes of ours on a host that no keeper looks after any more: finding them, and ending just those. For doctors.

A process is ours by the variable that all inherit which a keeper has started. It is ended only while it is still the
one that was found: by its number, the moment of its start, and its process group. Sent to a host as ``host_control``
is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cai_deploy.node.host_processes import KEPT_BY, POLL, began, environ, lives, processes, tell
from cai_deploy.node.host_records import records

LONGEST = 120
"""Characters of a command line that are told."""


def find(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """The processes of nodes of this ``owner``'s cluster whose keepers are gone."""
    kept = {record["keeper"] for record in records(root, request["cluster"]) if lives(record)}
    return {"left": [each for each in ours(f"{request['owner']}/{request['cluster']}/") if each["keeper"] not in kept]}


def end(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """End those that are ``left``, kill them after some ``seconds``; which of them are there all the same."""
    del root
    deadline = time.monotonic() + request["seconds"]
    there = request["left"]
    signal_group(there, signal.SIGTERM)
    while (there := still(there)) and time.monotonic() < deadline:
        time.sleep(POLL)
    signal_group(there, signal.SIGKILL)
    deadline = time.monotonic() + request["seconds"]
    while (there := still(there)) and time.monotonic() < deadline:
        time.sleep(POLL)
    return {"left": there}


def ours(prefix: str) -> Iterator[dict[str, Any]]:
    """Every process that a keeper of this prefix has started, or that those have."""
    mark = f"{KEPT_BY}={prefix}".encode()
    for pid, _ in processes():
        keeper = next((each for each in environ(pid) if each.startswith(mark)), None)
        moment, group = began(pid), group_of(pid)
        if keeper and moment and group:
            name = keeper.decode(errors="replace").partition("=")[2]
            yield {"pid": pid, "began": moment, "group": group, "keeper": name, "command": command(pid)}


def still(left: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that are the very processes that were found."""
    return [each for each in left if began(each["pid"]) == each["began"] and group_of(each["pid"]) == each["group"]]


def signal_group(left: list[dict[str, Any]], number: int) -> None:
    """To each group in which all are of the same node as ``left``, as one; else to each process by itself.

    A group may have got another of that node's since it was found.
    """
    there = still(left)
    for group, keeper in {(each["group"], each["keeper"]) for each in there}:
        mark = f"{KEPT_BY}={keeper}".encode()
        if all(mark in environ(pid) for pid, _ in processes() if group_of(pid) == group):
            tell(-group, number)
        else:
            for each in there:
                if each["group"] == group:
                    tell(each["pid"], number)


def group_of(pid: int) -> int:
    """Its process group, 0 when it is gone."""
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def command(pid: int) -> str:
    """Its command line, for people."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:LONGEST]
    except OSError:
        return ""


VERBS = {"find": find, "end": end}


def main(verb: str) -> None:
    """Do what is asked for, and answer."""
    request = json.loads(sys.stdin.buffer.readline() or b"{}")
    root = Path(os.path.realpath(Path(request["directory"]).expanduser()))
    print(json.dumps(VERBS[verb](root, request)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
