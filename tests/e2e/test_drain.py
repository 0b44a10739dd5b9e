"""Draining through the head's application, with real Ray in pods: work ends, the node goes, and nobody fights it."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from cai_deploy import layout
from cai_deploy.api.application_http import ApplicationHttp
from tests.e2e.conftest import Shell, poll
from tests.e2e.jobs import client_of, credentials, exported

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TASK_ON_A_NODE = """
import ray, sys, time
ray.init('auto')
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
node = next(node['NodeID'] for node in ray.nodes() if node['NodeName'] == sys.argv[1] and node['Alive'])

@ray.remote(num_cpus=1, max_retries=0, scheduling_strategy=On(node, soft=False))
def work(seconds):
    print('WORKS', flush=True)
    time.sleep(seconds)
    return 'ENDED WELL'

print(ray.get(work.remote(float(sys.argv[2]))))
"""

ACTOR_ON_A_NODE = """
import ray, sys
ray.init('auto', namespace='e2e')
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
node = next(node['NodeID'] for node in ray.nodes() if node['NodeName'] == sys.argv[1])

@ray.remote(num_cpus=0)
class Idler:
    def ping(self):
        return 'STANDS'

actor = Idler.options(name='idler', lifetime='detached', scheduling_strategy=On(node, soft=False)).remote()
print(ray.get(actor.ping.remote()))
"""

KILL_THE_ACTOR = "import ray; ray.init('auto', namespace='e2e'); ray.kill(ray.get_actor('idler')); print('KILLED')"


class Door:
    """The head's application, as a person with the key reaches it."""

    def __init__(self, shell: Shell) -> None:
        host = urlsplit(shell.status()["connection"]["dashboard_url"])
        self._base = f"http://127.0.0.1:{host.port}"
        self._headers = {"Host": host.netloc, **credentials(shell)}

    def get(self, path: str) -> Any:
        return requests.get(self._base + path, headers=self._headers, timeout=30).json()

    def post(self, path: str, body: Any) -> requests.Response:
        return requests.post(self._base + path, json=body, headers=self._headers, timeout=30)

    def nodes(self) -> dict[str, tuple[str, bool | None]]:
        """State and idleness by name."""
        return {node["name"]: (node["state"], node["idle"]) for node in self.get("/cai-deploy/nodes")["nodes"]}

    def start_job(self, code: str, *arguments: str) -> str:
        answer = self.post("/api/jobs/", {"entrypoint": shlex.join(["python", "-c", code, *arguments])})
        answer.raise_for_status()
        return str(answer.json()["submission_id"])

    def end_of_job(self, job: str, deadline: float = 90.0) -> tuple[str, str]:
        """Its status and what it printed."""
        end = time.monotonic() + deadline
        while (status := self.get(f"/api/jobs/{job}")["status"]) not in ("SUCCEEDED", "FAILED"):
            assert time.monotonic() < end, status
            time.sleep(0.2)
        return status, self.log(job)

    def log(self, job: str) -> str:
        return str(self.get(f"/api/jobs/{job}/logs")["logs"])

    def run_job(self, code: str, *arguments: str) -> str:
        status, log = self.end_of_job(self.start_job(code, *arguments))
        assert status == "SUCCEEDED", log
        return log


def said(word: str, log: str) -> bool:
    """Whether a line ends so; the log holds the whole program too, as it was submitted."""
    return any(line.endswith(word) for line in log.splitlines())


def test_a_drained_node_ends_its_work_goes_and_stays_away(person: Callable[..., Shell]) -> None:
    shell = person()
    shell.ok("launch", "--workers", "2")
    door = Door(shell)
    client, project = client_of(shell)

    def application(name: str) -> Any:
        found = client.applications.find(project.id, name)
        assert found
        return found

    def journal(node: str) -> str:
        return client.files.read_text(project.id, layout.node_log_file("ray", node)) or ""

    # Who is idle.
    all_idle = {"head": ("ALIVE", True), "worker-0": ("ALIVE", True), "worker-1": ("ALIVE", True)}
    poll("all idle", lambda: door.nodes() == all_idle)
    assert said("STANDS", door.run_job(ACTOR_ON_A_NODE, "worker-0"))
    busy = {**all_idle, "worker-0": ("ALIVE", False)}
    poll("the worker with the actor is busy, the others are not", lambda: door.nodes() == busy)
    time.sleep(2)
    assert door.nodes() == busy, "an actor that needs no CPU and does nothing counts too"
    assert said("KILLED", door.run_job(KILL_THE_ACTOR))
    poll("all idle again", lambda: door.nodes() == all_idle)

    # Files of the project and the connection, in one answer each.
    connection = layout.connection_file("ray")
    told = door.post("/cai-deploy/files", {"paths": [connection, "requirements/cluster.txt", "../x", "nothing"]}).json()
    assert door.get("/cai-deploy/nodes")["connection"] == json.loads(told["files"][connection])
    assert "ray==" in told["files"]["requirements/cluster.txt"]
    assert told["files"]["../x"] is None
    assert told["files"]["nothing"] is None
    assert door.post("/cai-deploy/files", {"paths": ["a"] * 51}).status_code == 400

    # A drain with work on the node: the work ends, then the node goes.
    job = door.start_job(TASK_ON_A_NODE, "worker-1", "8")
    poll("the task runs", lambda: said("WORKS", door.log(job)))
    poll("and makes it busy", lambda: door.nodes()["worker-1"] == ("ALIVE", False))
    before = application("ray-worker-1")
    began = time.monotonic()
    for _ in range(2):
        answer = door.post("/cai-deploy/drain", {"node": "worker-1", "deadline_seconds": 60, "reason": "e2e"})
        assert (answer.status_code, answer.json()) == (200, {"accepted": True})
        assert door.nodes()["worker-1"] == ("DRAINING", False)
    status, log = door.end_of_job(job)
    assert status == "SUCCEEDED", log
    assert said("ENDED WELL", log)
    poll("drained", lambda: door.nodes()["worker-1"] == ("DRAINED", None))
    print(f"a busy node was drained {time.monotonic() - began:.1f} s after the request")
    poll("the agent knows", lambda: "waiting to be stopped" in journal("worker-1"))

    # One whose work takes longer than it has: ended at the deadline, and no failure of the node either.
    job = door.start_job(TASK_ON_A_NODE, "worker-0", "1000")
    poll("the task runs", lambda: said("WORKS", door.log(job)))
    began = time.monotonic()
    assert door.post("/cai-deploy/drain", {"node": "worker-0", "deadline_seconds": 3}).json() == {"accepted": True}
    poll("ended at the deadline", lambda: door.nodes()["worker-0"] == ("DRAINED", None))
    print(f"a node that had 3 s was drained {time.monotonic() - began:.1f} s after the request")
    assert time.monotonic() - began >= 3
    assert door.end_of_job(job)[0] == "FAILED"
    poll("the agent knows", lambda: "waiting to be stopped" in journal("worker-0"))

    # What is not drained.
    assert door.post("/cai-deploy/drain", {"node": "head"}).json()["accepted"] is False
    assert door.post("/cai-deploy/drain", {"node": "worker-7"}).status_code == 404
    assert door.post("/cai-deploy/drain", {"node": 7}).status_code == 400
    assert door.nodes()["head"][0] == "ALIVE"

    # Nobody took it for a failure, and a restart brings the node back.
    after, exports = application("ray-worker-1"), exported(shell)
    assert (after.status, after.running_at) == ("APPLICATION_RUNNING", before.running_at)
    assert ApplicationHttp(exports["CML_HOST"], exports["CML_API_KEY"]).get_json(after.subdomain, "/") == {
        "node": "worker-1",
        "state": "drained",
    }
    client.applications.restart(project.id, after.id)
    poll("back", lambda: door.nodes()["worker-1"][0] == "ALIVE", deadline=60)
    poll("no work", lambda: door.nodes()["worker-1"][1] is True)
