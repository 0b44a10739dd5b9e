"""The head's pod dies and comes back at another address, with real Ray in pods: the cluster and its work go on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from cai_deploy import layout
from cai_deploy.testing.admin import Admin
from cai_deploy.testing.faults import Faults
from tests.e2e.conftest import Shell, poll
from tests.e2e.jobs import SPREAD, client_of, exported, run_ray_job
from tests.e2e.test_drain import Door

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# The head that was killed stays listed, as a DEAD node.
SPREAD_OVER_THE_LIVING = SPREAD.replace("in ray.nodes()}", "in ray.nodes() if node['Alive']}")

THREE = {"head", "worker-0", "worker-1"}

COUNTER = """
import ray, sys
ray.init('auto', namespace='e2e')
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
node = next(node['NodeID'] for node in ray.nodes() if node['NodeName'] == 'worker-0')

@ray.remote(num_cpus=0)
class Counter:
    count = 0
    def add(self):
        self.count += 1
        return self.count

actor = Counter.options(
    name='counter', lifetime='detached', get_if_exists=True, scheduling_strategy=On(node, soft=False)
).remote()
print(f'COUNT IS {ray.get(actor.add.remote())}')
"""


def test_a_head_that_is_killed_comes_back_elsewhere_and_nothing_is_lost(person: Callable[..., Shell]) -> None:
    shell = person()
    shell.ok("launch", "--workers", "2")
    shell.needs_walls()
    exports = exported(shell)
    admin = Admin(exports["CML_HOST"], exports["CML_API_KEY"])
    admin.ask("PATCH", "settings", {"restart_pause": 0.5})
    door = Door(shell)
    assert "COUNT IS 1" in door.run_job(COUNTER)
    assert "COUNT IS 2" in door.run_job(COUNTER)
    before, address = raylets(shell), door.get("/cai-deploy/nodes")["connection"]["node_address"]
    assert set(before) == {"worker-0", "worker-1"}

    began = time.monotonic()
    Faults(admin).add("pod_killed", target="ray-head", count=1)
    poll("the head is away", lambda: alive(door) == set())
    poll("three nodes ALIVE again", lambda: alive(door, address) == THREE, deadline=60)
    print(f"three nodes ALIVE {time.monotonic() - began:.1f} s after the head's pod was killed")
    poll("the head before is known to be dead", lambda: states(door).get(address) == "DEAD")
    poll("the dashboard answers", lambda: "ray_version" in told(door, "/api/version"))
    assert "COUNT IS 3" in door.run_job(COUNTER), "the actor has gone on"
    assert set(run_ray_job(shell, SPREAD_OVER_THE_LIVING)) == THREE, "new tasks run everywhere"
    print(f"all is well {time.monotonic() - began:.1f} s after the head's pod was killed")
    assert raylets(shell) == before, "the workers' Ray has not been started again"
    connection = door.get("/cai-deploy/nodes")["connection"]
    assert (connection["epoch"], connection["node_address"] != address) == (2, True)
    client, project = client_of(shell)
    journal = client.files.read_text(project.id, layout.node_log_file("ray", "worker-0")) or ""
    assert f"the head has moved from {address}" in journal
    assert "nothing to do" in shell.ok("launch", "--workers", "2").stderr

    address = next(node["address"] for node in told(door, "/cai-deploy/nodes")["nodes"] if node["name"] == "worker-1")
    began = time.monotonic()
    Faults(admin).clear()
    Faults(admin).add("pod_killed", target="ray-worker-1", count=1)
    poll("the worker is missed", lambda: states(door).get(address) == "DEAD")
    print(f"a worker's pod was missed {time.monotonic() - began:.1f} s after it was killed")
    poll("three nodes ALIVE again", lambda: alive(door) == THREE)


def alive(door: Door, gone: str = "") -> set[str]:
    """The nodes that the head, if there is one, calls ALIVE; one at the address ``gone`` it has only not missed yet."""
    nodes = told(door, "/cai-deploy/nodes").get("nodes", [])
    return {node["name"] for node in nodes if node["state"] == "ALIVE" and node["address"] != gone}


def states(door: Door) -> dict[str, str]:
    """The nodes' states by their addresses, which a pod that comes back does not share."""
    return {node["address"]: node["state"] for node in told(door, "/cai-deploy/nodes").get("nodes", [])}


def told(door: Door, path: str) -> dict[str, Any]:
    """The head's answer; nothing while it is away."""
    with contextlib.suppress(requests.RequestException, ValueError):
        return dict(door.get(path))
    return {}


def raylets(shell: Shell) -> dict[str, int]:
    """The workers' raylets by node, as processes of this machine."""
    found = {}
    for pid in shell.processes():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            name = next((word.partition("=")[2] for word in words if word.startswith("--node-name=")), "")
            if words[0].endswith("/raylet") and name.startswith("worker"):
                found[name] = pid
    return found
