"""Ray jobs through the head's application, as a person outside submits them."""

from __future__ import annotations

import json
import shlex
import time
from urllib.parse import urlsplit

import requests

from tests.e2e.conftest import Shell

SPREAD = """
import json, ray
ray.init('auto')
names = {node['NodeID']: node['NodeName'] for node in ray.nodes()}

@ray.remote(num_cpus=0, scheduling_strategy='SPREAD')
def where():
    return ray.get_runtime_context().get_node_id()

found = set()
while len(found) < len(names):
    found |= set(ray.get([where.remote() for _ in range(len(names))]))
print('PLACED ' + json.dumps(sorted(names[node] for node in found)))
"""


def run_ray_job(shell: Shell, code: str, deadline: float = 90.0) -> list[str]:
    """Submit ``code`` through the application's address and return the node names that it printed."""
    connection = shell.status()["connection"]
    exports = dict(
        line.removeprefix("export ").split("=", 1) for line in shell.ok("workspace", "env").stdout.split("\n") if line
    )
    host = urlsplit(connection["dashboard_url"])
    base = f"http://127.0.0.1:{host.port}/api/jobs/"
    headers = {"Host": host.netloc, "Authorization": f"Bearer {exports['CML_API_KEY']}"}
    entrypoint = shlex.join(["python", "-c", code])
    answer = requests.post(base, json={"entrypoint": entrypoint}, headers=headers, timeout=30)
    answer.raise_for_status()
    job = answer.json()["submission_id"]
    end = time.monotonic() + deadline
    while (state := requests.get(base + job, headers=headers, timeout=30).json())["status"] not in (
        "SUCCEEDED",
        "FAILED",
    ):
        assert time.monotonic() < end, state
        time.sleep(0.3)
    log = requests.get(base + job + "/logs", headers=headers, timeout=30).json()["logs"]
    assert state["status"] == "SUCCEEDED", log
    line = next(line for line in log.splitlines() if line.startswith("PLACED "))
    return list(json.loads(line.removeprefix("PLACED ")))
