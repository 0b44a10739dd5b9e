"""Stands in for the node agent: it is called like the real one, and answers like the real one, without Ray.

A node is a member for as long as its process lives: it holds a lock on a file of its own, in which it tells what it was
started with. The head lists those whose lock is held, so that neither a kill nor a restart needs a farewell. A node
that is to drain has no work, so it is drained at once, and waits to be stopped.
"""

import fcntl
import json
import os
import re
import socket
from pathlib import Path

NODE = os.environ["CAI_DEPLOY_NODE"]
SETTINGS = json.loads(os.environ["CAI_DEPLOY_SETTINGS"])
CLUSTER = Path(".cai-deploy/clusters", SETTINGS["cluster"])
MEMBERS = CLUSTER / "members"
ADDRESS = os.environ["CDSW_IP_ADDRESS"]


def join():
    """Tell who we are and what we run with; the lock on the returned file says that we live."""
    MEMBERS.mkdir(parents=True, exist_ok=True)
    file = (MEMBERS / f"{NODE}.json").open("a+")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.truncate(0)
    member = {
        "name": NODE,
        "pid": os.getpid(),
        "state": "ALIVE",
        "address": ADDRESS,
        "is_head": SETTINGS["role"] == "head",
        "labels": {"cai-deploy/epoch": os.environ.get("CAI_DEPLOY_EPOCH", "")},
        "cpu": int(os.environ["CDSW_CPU_MILLICORES"]) / 1000,
        "settings_cpu": SETTINGS["cpu"],
        "fingerprint": os.environ["CAI_DEPLOY_FINGERPRINT"],
    }
    file.write(json.dumps(member))
    file.flush()
    return file


def lives(path):
    """Whether the process that wrote this file still holds it."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def member(path):
    """What Ray would say of the node that wrote this file."""
    if path.stem != NODE and not lives(path):
        return {"name": path.stem, "state": "DEAD"}
    told = json.loads(path.read_text())
    note = path.with_suffix(".drained")
    drained = note.exists() and note.read_text() == str(told["pid"])
    return {**told, "state": "DRAINED"} if drained else told


def members():
    """Everybody who ever was a node of this cluster."""
    for path in sorted(MEMBERS.glob("*.json")):
        try:
            yield member(path)
        except ValueError:  # it has just come, and has said nothing yet
            continue


def drain(name):
    """A note for as long as this very process of the node lives."""
    path = MEMBERS / f"{name}.json"
    if name == NODE or not path.exists() or not lives(path):
        return {"accepted": False, "why": f"no node {name} to drain"}
    path.with_suffix(".drained").write_text(str(json.loads(path.read_text())["pid"]))
    return {"accepted": True}


def announce():
    """The connection file, with an epoch above the last one's."""
    path = CLUSTER / "connection.json"
    epoch = json.loads(path.read_text())["epoch"] + 1 if path.exists() else 1
    told = {
        "cluster": SETTINGS["cluster"],
        "epoch": epoch,
        "node_address": ADDRESS,
        "gcs_address": f"{ADDRESS}:6379",
        "client_address": f"{ADDRESS}:10001",
        "dashboard_address": f"{ADDRESS}:{os.environ['CDSW_APP_PORT']}",
        "dashboard_url": os.environ["CAI_DEPLOY_URL"],
        "ray_version": SETTINGS["ray_version"],
        "python_version": "",
        "started_at": "",
        "version": 1,
    }
    path.with_suffix(".tmp").write_text(json.dumps(told))
    path.with_suffix(".tmp").replace(path)


def text(path):
    """What is in a file of the project, None where there is none."""
    try:
        return path.read_text()
    except OSError:
        return None


def answer(request):
    """What the agent says: to the deployer, and to the workspace's probe, which only wants any answer."""
    head, _, body = request.partition(b"\r\n\r\n")
    if head.startswith(b"POST /cai-deploy/drain "):
        return drain(json.loads(body)["node"])
    if head.startswith(b"POST /cai-deploy/files "):
        return {"files": {path: text(Path(path)) for path in json.loads(body)["paths"]}}
    connection = text(CLUSTER / "connection.json")
    return {"epoch": 1, "nodes": list(members()), "connection": json.loads(connection) if connection else None}


def received(connection):
    """One request, head and body."""
    request = connection.recv(65536)
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (more := connection.recv(missing)):
        request += more
        missing -= len(more)
    return request


def serve():
    """Enough HTTP for the workspace's probe and for the deployer."""
    server = socket.create_server(("127.0.0.1", int(os.environ["CDSW_APP_PORT"])))
    while True:
        connection, _ = server.accept()
        try:
            told = json.dumps(answer(received(connection))).encode()
            start = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(told)}\r\n"
            connection.sendall(start.encode() + b"Connection: close\r\n\r\n" + told)
        except OSError:
            pass
        finally:
            connection.close()


if __name__ == "__main__":
    membership = join()
    if SETTINGS["role"] == "head":
        announce()
    serve()
