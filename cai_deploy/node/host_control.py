"""What is done on a host that has nothing of ours yet: nodes are started, found again and ended, and it is looked at.

The standard library alone, and no more than the ``host_`` modules that it names, as they are sent through SSH to the
host's own Python whenever they are needed: whoever looks at a host looks with their own version and leaves nothing
behind. The first argument is what to do, the request is a line of JSON on stdin, the answer one on stdout.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from cai_deploy.node.host_boot_entry import take_away
from cai_deploy.node.host_files import digest, remove, text, unpack
from cai_deploy.node.host_keeper import detach
from cai_deploy.node.host_processes import began, boot, end_all, lives, tell
from cai_deploy.node.host_records import forget, locked, read, record_file, records, remembered, write


def probe(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """What the host is, and what of ours stands there."""
    state = root / ".cai-deploy"
    return {
        "directory": str(root),
        "python": ".".join(map(str, sys.version_info[:3])),
        "cpu": len(os.sched_getaffinity(0)),
        "gpu": len([each for each in Path("/dev").glob("nvidia[0-9]*") if each.name[6:].isdigit()]),
        "time": time.time(),
        "address": [*os.environ.get("SSH_CONNECTION", "").split(), "", "", ""][2],
        "disk": shutil.disk_usage(next(each for each in (root, *root.parents) if each.exists())).free,
        "shm": shutil.disk_usage("/dev/shm").free if Path("/dev/shm").is_dir() else 0,  # noqa: S108
        "code": sorted(each.name for each in (state / "code").glob("[0-9a-f]*")),
        "environments": sorted(each.parent.name for each in (state / "environments").glob("*/ready.json")),
        "files": {path: digest(root / path) for path in request.get("files", [])},
        "texts": {path: text(root / path) for path in request.get("texts", [])},
        "nodes": [
            {**record, "lives": lives(record), "same_boot": record["boot"] == boot()}
            for record in records(root, request["cluster"])
        ],
    }


def start(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Start a node. One that lives is left alone, or told to end and followed by the new one, if it is to ``replace``.

    What one before it left behind is ended first.
    """
    file = record_file(root, request["cluster"], request["node"])
    file.parent.mkdir(parents=True, exist_ok=True)
    request = remembered(file.with_suffix(".request"), request)
    with locked(file.parent):
        before = read(file)
        old = before if before and lives(before) else None
        if old and not request["replace"]:
            return {"started": False, "pid": old["pid"]}
        record = {**request["mark"], "keeper": request["keeper"], "port": 0, "launched": 0.0}
        record |= {"ended": None, "stopping": None}
        pid = detach(root, file, request, old)
        write(file, {**record, "pid": pid, "began": began(pid), "boot": boot()})
    return {"started": True, "pid": pid}


def clear(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Remove a cluster's files, see ``remove``, and what would start it at a boot."""
    return {"boot": take_away(root, request), **remove(root, request)}


def stop(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Tell a node to end; kill one that was told ``seconds`` ago and is still there; forget one that has ended."""
    file = record_file(root, request["cluster"], request["node"])
    if not file.is_file():
        return {"gone": True}
    with locked(file.parent):
        record = read(file)
        told = record.get("stopping") if record else None
        if record and lives(record) and (told is None or time.time() - told < request["seconds"]):
            if told is None:
                write(file, {**record, "stopping": time.time()})
            tell(record["pid"], signal.SIGTERM)
            return {"gone": False}
        if record and lives(record):
            tell(-record["pid"], signal.SIGKILL)
        end_all(record["keeper"] if record else request["keeper"])
        forget(file)
    return {"gone": True}


VERBS = {"status": probe, "start": start, "stop": stop, "unpack": unpack, "remove": clear}


def main(verb: str) -> None:
    """Do what is asked for, and answer."""
    request = json.loads(sys.stdin.buffer.readline() or b"{}")
    root = Path(os.path.realpath(Path(request.get("directory", ".")).expanduser()))
    print(json.dumps(VERBS[verb](root, {"cluster": "ray", **request})), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
