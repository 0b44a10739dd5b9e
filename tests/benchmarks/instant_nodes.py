"""A repository whose nodes cost nothing: workers have no pod, and in place of the head's Ray stands one small server.

What is measured with it is the deployer, not the machine. The workspace shows workers as running although they have no
pod (``NO_PODS``). The head lists all workers of the specification as ALIVE and hands out files of the project, as the
agent of a head does; the deployer takes a worker for ready once both say so.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cai_deploy import layout
from cai_deploy.api.schemas import Runtime
from cai_deploy.places.cai.environments import needed
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.spec import HEAD, ClusterSpec
from tests.e2e.conftest import git

REQUIREMENTS = "ray==2.60.0\n"

NO_PODS = "*-worker-*"
"""The applications for which the workspace has the rule ``no_pod``."""

RAY = f"""#!/bin/sh
exec {sys.executable} -I -S head.py $CAI_DEPLOY_CLUSTER $CDSW_APP_PORT
"""

HEAD_PROGRAM = """
import asyncio, contextlib, json, sys

cluster, port = sys.argv[1], int(sys.argv[2])
directory = f".cai-deploy/clusters/{cluster}"

def read(path):
    with contextlib.suppress(OSError), open(path) as file:
        return file.read()

def nodes():
    groups = json.loads(read(f"{directory}/spec.json") or "{}").get("workers", [])
    workers = (f"{group.get('name', 'worker')}-{number}" for group in groups for number in range(group["replicas"]))
    return [{"name": name, "state": "ALIVE", "address": "127.0.0.1"} for name in ("head", *workers)]

def told(path, asked):
    if path == "/cai-deploy/nodes":
        connection = json.loads(read(f"{directory}/connection.json") or "null")
        return {"epoch": 1, "nodes": nodes(), "connection": connection}
    if path == "/cai-deploy/files":
        return {"files": {path: read(path) for path in json.loads(asked)["paths"]}}
    return {}

async def answer(reader, writer):
    path, length = (await reader.readline()).split()[1].decode(), 0
    while line := (await reader.readline()).strip():
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    body = json.dumps(told(path, await reader.readexactly(length))).encode()
    head = f"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: {len(body)}"
    writer.write(f"{head}\\r\\nConnection: close\\r\\n\\r\\n".encode() + body)
    await writer.drain()
    writer.close()

async def main():
    async with await asyncio.start_server(answer, "127.0.0.1", port) as server:
        await server.serve_forever()

asyncio.run(main())
"""


def specification(cluster: str, workers: int) -> ClusterSpec:
    """A cluster of instant nodes."""
    return ClusterSpec.model_validate(
        {
            "name": cluster,
            "launch_with": "inline",
            "authentication": "none",  # there is no Python in their environment to make a token with
            "project": {"name": "control"},
            "head": {"cpu": 0.1, "memory_gb": 0.1},
            "workers": [{"replicas": workers, "cpu": 0.1, "memory_gb": 0.1}],
        }
    )


def make_repository(at: Path, runtimes: list[Runtime]) -> None:
    """A repository that brings its environment along, so that no job has to build one."""
    spec = specification("any", 1)
    name = needed(spec, CaiObservation(runtimes=tuple(runtimes), requirements=REQUIREMENTS))[HEAD].name
    programs = Path(layout.environment_dir(name)) / "bin"
    files = {
        spec.environment.requirements: REQUIREMENTS,
        "head.py": HEAD_PROGRAM,
        layout.environment_ready_file(name): "{}\n",
        str(programs / "ray"): RAY,
    }
    for path, text in files.items():
        (at / path).parent.mkdir(parents=True, exist_ok=True)
        (at / path).write_text(text)
    (at / programs / "ray").chmod(0o755)
    subprocess.run(["git", "init", "-q", "-b", "main", at], check=True)
    git(at, "add", "--force", ".")
    git(at, "commit", "-qm", "instant nodes")
