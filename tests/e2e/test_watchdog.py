"""The watchdog with real Ray: its job heals what is missing, an idle cluster goes to sleep, a launch wakes it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cai_deploy import layout
from cai_deploy.api.schemas import CreateJobRunRequest, Job
from tests.e2e.conftest import SPECIFICATION, Shell, poll
from tests.e2e.jobs import client_of
from tests.e2e.test_drain import Door
from tests.e2e.test_failover import raylets

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SELDOM = "0 0 29 2 *"
EACH_MINUTE = "* * * * *"
ENDED = ("ENGINE_SUCCEEDED", "ENGINE_FAILED", "ENGINE_SKIPPED", "ENGINE_TIMEDOUT", "ENGINE_STOPPED")

A_WHILE = "import ray, time; ray.init('auto'); time.sleep(600)"

SERVE = """
import ray
from ray import serve
ray.init('auto')

@serve.deployment(ray_actor_options={'num_cpus': 0})
class App:
    def __call__(self, request):
        return 'IT ANSWERS'

serve.start(http_options={'host': '0.0.0.0', 'port': 8000})
print(serve.run(App.bind()).__call__.remote(None).result())
"""


def with_keys(schedule: str, **more: object) -> str:
    """The small cluster's specification with a watchdog and more keys; JSON is YAML too."""
    lines = [f"{key}: {json.dumps(value)}" for key, value in {"watchdog": {"schedule": schedule}, **more}.items()]
    return SPECIFICATION + "\n".join(lines) + "\n"


def watchdog_of(shell: Shell) -> Job | None:
    client, project = client_of(shell)
    return client.jobs.find(project.id, "cai-deploy-watchdog-ray")


def run_it(shell: Shell) -> str:
    """Have the watchdog's job run once, as it is, and return what it wrote."""
    client, project = client_of(shell)
    job = watchdog_of(shell)
    assert job
    run = client.jobs.create_run(project.id, job.id, CreateJobRunRequest())
    poll("the run ends", lambda: client.jobs.get_run(project.id, job.id, run.id).status in ENDED, deadline=240)
    told = client.files.read_text(project.id, layout.job_log_file("watchdog")) or ""
    print(told)
    assert client.jobs.get_run(project.id, job.id, run.id).status == "ENGINE_SUCCEEDED", told
    return told


def states(shell: Shell) -> dict[str, str]:
    return {node["name"]: node["ray_state"] for node in shell.status()["nodes"]}


def activity(shell: Shell) -> dict[str, Any]:
    with contextlib.suppress(Exception):
        return dict(Door(shell).get("/cai-deploy/activity"))
    return {}


def test_its_job_heals_the_cluster_by_the_clock(person: Callable[..., Shell]) -> None:
    shell = person(specification=with_keys(EACH_MINUTE))
    shell.ok("launch", "--workers", "2")
    assert "nothing to do: 3 nodes ALIVE" in shell.ok("launch", "--workers", "2").stderr
    job = watchdog_of(shell)
    assert job
    assert (job.type, job.schedule) == ("cron", EACH_MINUTE)
    client, project = client_of(shell)
    worker = next(node for node in shell.status()["nodes"] if node["name"] == "worker-1")
    client.applications.delete(project.id, worker["native_id"])
    poll("the worker is gone", lambda: "worker-1" not in states(shell))
    alive = {"head": "ALIVE", "worker-0": "ALIVE", "worker-1": "ALIVE"}
    poll("nobody did anything, and it is back", lambda: states(shell) == alive, deadline=180)

    shell.commit("cai-deploy.yaml", SPECIFICATION)
    steps = shell.ok("launch", "--workers", "2", "--json").json()["steps"]
    assert steps[:2] == [
        "stop job cai-deploy-watchdog-ray: is no longer wanted",
        "update specification .cai-deploy/clusters/ray/spec.json: differs from what is wanted",
    ]
    assert watchdog_of(shell) is None


def test_without_work_it_sleeps_until_it_is_launched(person: Callable[..., Shell]) -> None:
    shell = person(specification=with_keys(SELDOM, idle={"scale_down_after": 0.05, "stop_after": 0.75}))
    shell.ok("workspace", "start")
    shell.ok("launch", "--workers", "2")

    door = Door(shell)
    submitted = door.post("/api/jobs/", {"entrypoint": shlex.join(["python", "-c", A_WHILE])}).json()["submission_id"]
    poll("the job is seen", lambda: f"job {submitted} is running" in activity(shell).get("busy", []))
    assert "kept as specified" in run_it(shell)
    assert len(states(shell)) == 3
    door.post(f"/api/jobs/{submitted}/stop", {})
    poll("nothing is seen to work", lambda: activity(shell).get("idle_since"), deadline=60)

    poll("the workers have had no work for 3 s", lambda: "only the floor is kept" in run_it(shell), deadline=120)
    assert states(shell) == {"head": "ALIVE"}
    kept = shell.run("plan", "--workers", "2").stdout.splitlines()
    assert kept == ["create node worker-0: does not exist", "create node worker-1: does not exist"]

    poll("the head has had no work for 45 s", lambda: "put to sleep" in run_it(shell), deadline=120)
    status = shell.ok("status")
    assert "asleep since" in status.stderr
    assert "because it has had no work for" in status.stderr
    assert "`launch` wakes it" in status.stderr
    assert shell.status()["asleep"]["why"].startswith("it has had no work for")
    assert shell.status()["nodes"] == []
    again = run_it(shell)
    assert "stays asleep" in again
    assert "nothing to do: 0 nodes" in again

    woken = shell.ok("launch", "--workers", "2", "--json").json()["steps"]
    assert woken[0].startswith("stop sleep .cai-deploy/clusters/ray/asleep.json: asleep since")
    assert [step for step in woken if "create" in step and "node" not in step] == [], "all but the nodes was kept"
    assert len(states(shell)) == 3
    assert "nothing to do: 3 nodes ALIVE" in shell.ok("launch", "--workers", "2").stderr

    assert "3 nodes removed" in shell.ok("down").stderr
    assert watchdog_of(shell) is None
    assert "nothing to do" in shell.ok("down").stderr


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to ask from within a pod")
def test_serve_is_work_while_somebody_asks_it_and_answers_again_after_a_sleep(person: Callable[..., Shell]) -> None:
    shell = person(specification=with_keys(SELDOM, idle={"stop_after": 0.3}))
    shell.ok("launch", "--workers", "1")
    door = Door(shell)
    assert "IT ANSWERS" in door.run_job(SERVE)
    poll("Serve stands, and that is no work", lambda: activity(shell).get("idle_since"), deadline=60)
    began = activity(shell)["idle_since"]
    asked = activity(shell)["now"]
    assert answer_of(shell) == "IT ANSWERS"
    poll("that was work", lambda: (activity(shell).get("idle_since") or "") > max(asked, began), deadline=60)

    poll("nobody has asked for 18 s", lambda: "put to sleep" in run_it(shell), deadline=120)
    assert shell.status()["nodes"] == []
    shell.ok("launch", "--workers", "1")
    poll("Serve answers again, and nobody deployed it", lambda: answer_of(shell) == "IT ANSWERS", deadline=120)


def answer_of(shell: Shell) -> str:
    """What Serve at the head answers to somebody in a worker's pod, "" while it does not."""
    nodes = {node["name"]: node for node in shell.status()["nodes"]}
    pid = raylets(shell).get("worker-0")
    if pid is None or "head" not in nodes:
        return ""
    url = f"http://{nodes['head']['address']}:8000/"
    ask = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=20).read().decode())"
    inside = ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", ask]
    return subprocess.run(inside, capture_output=True, text=True, check=False).stdout.strip()


def test_a_cluster_whose_time_is_over_sleeps_though_it_works(person: Callable[..., Shell]) -> None:
    shell = person(specification=with_keys(SELDOM, lifetime=0.05))
    shell.ok("workspace", "start")
    shell.ok("launch", "--workers", "1")
    submitted = Door(shell).start_job(A_WHILE)
    poll("the job is seen", lambda: f"job {submitted} is running" in activity(shell).get("busy", []))
    assert "its lifetime of 0.05 minutes ended at" in run_it(shell)
    assert (shell.status()["nodes"], shell.status()["converged"]) == ([], True)
    assert "nothing to do: no nodes" in shell.ok("down").stderr
    assert watchdog_of(shell) is None
