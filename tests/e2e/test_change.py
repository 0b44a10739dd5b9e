"""A cluster that changes while it is used, with real Ray in pods: who should stay stays, and what should go goes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cai_deploy import layout
from cai_deploy.api.schemas import CreateApplicationRequest
from tests.e2e.conftest import SPECIFICATION, Ran, Shell, git
from tests.e2e.jobs import client_of
from tests.e2e.test_drain import ACTOR_ON_A_NODE, Door

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RECORD = "update record .cai-deploy/clusters/ray/converged.json: differs from what is wanted"
SPEC = "update specification .cai-deploy/clusters/ray/spec.json: differs from what is wanted"


def specify(shell: Shell, text: str) -> None:
    (shell.checkout / "cai-deploy.yaml").write_text(text)


def nothing_to_do(shell: Shell, *arguments: str) -> None:
    assert "nothing to do" in shell.ok(*arguments).stderr


def nodes(shell: Shell) -> dict[str, str]:
    """The nodes by name, all ALIVE, with their applications."""
    status = shell.status()
    assert {node["ray_state"] for node in status["nodes"]} == {"ALIVE"}
    return {node["name"]: node["native_id"] for node in status["nodes"]}


@contextmanager
def watching(door: Door) -> Iterator[list[int]]:
    """How many workers are ALIVE, looked at all the time."""
    counts: list[int] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            counts.append(sum(state == "ALIVE" for name, (state, _) in door.nodes().items() if name != "head"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield counts
    finally:
        ended.set()
        thread.join()


def test_a_cluster_in_use_is_changed_shrunk_and_cleaned_up(person: Callable[..., Shell]) -> None:
    shell = person()
    shell.ok("launch", "--workers", "1")
    both_at_once(shell)
    changed_one_by_one(shell)
    idle_ones_go_first(shell)
    leftovers_go_and_strangers_stay(shell)
    removed_with_its_project(shell)


def both_at_once(shell: Shell) -> None:
    """Two deployers on one cluster: both end well, and there is one of everything."""
    specify(shell, SPECIFICATION.replace("replicas: 2", "replicas: 3"))
    first, second = (shell.start("launch", "--json") for _ in range(2))
    ran = []
    for process in (first, second):
        out, err = process.communicate(timeout=240)
        print(err)
        ran.append(Ran(process.returncode, out, err))
    assert [each.status for each in ran] == [0, 0]
    steps = [step for each in ran for step in each.json()["steps"]]
    assert sorted(step for step in steps if step.startswith("create")) == [
        "create node worker-1: does not exist",
        "create node worker-2: does not exist",
    ]
    assert sorted(nodes(shell)) == ["head", "worker-0", "worker-1", "worker-2"]


def changed_one_by_one(shell: Shell) -> None:
    """Another variable for the workers: each is drained and restarted in its turn, and the head is left alone."""
    before = nodes(shell)
    specify(shell, SPECIFICATION.replace("replicas: 2", "replicas: 3, env: {MODE: fast}"))
    planned = shell.run("plan", "--exit-code")
    assert planned.status == 2
    assert planned.stdout.count("restart node") == 3
    with watching(Door(shell)) as alive:
        done = shell.ok("launch", "--json").json()
    assert done["steps"][0] == SPEC
    assert done["steps"][-1] == RECORD
    rolled = [step.split(":")[0] for step in done["steps"][1:-1]]
    assert rolled[::2] == [step.replace("restart", "drain") for step in rolled[1::2]]
    assert sorted(rolled[1::2]) == [f"restart node worker-{number}" for number in range(3)]
    assert min(alive) == 2, "one at a time"
    assert nodes(shell) == before, "the applications are the same"
    nothing_to_do(shell, "launch")


def idle_ones_go_first(shell: Shell) -> None:
    """Two of three go, and the one with an actor stays, whatever its number."""
    door = Door(shell)
    assert "STANDS" in door.run_job(ACTOR_ON_A_NODE, "worker-1")
    end = time.monotonic() + 60
    while door.nodes()["worker-1"] != ("ALIVE", False) or door.nodes()["worker-0"] != ("ALIVE", True):
        assert time.monotonic() < end, door.nodes()
        time.sleep(0.1)
    steps = shell.ok("scale", "--workers", "1", "--json").json()["steps"]
    assert sorted(step for step in steps if "worker" in step) == [
        "drain node worker-0: before it is removed",
        "drain node worker-2: before it is removed",
        "stop node worker-0: is no longer wanted",
        "stop node worker-2: is no longer wanted",
    ]
    assert sorted(nodes(shell)) == ["head", "worker-1"]
    nothing_to_do(shell, "scale", "--workers", "1")


def leftovers_go_and_strangers_stay(shell: Shell) -> None:
    """What a cluster left behind whose files somebody removed is found by its mark; what has none is not touched."""
    client, project = client_of(shell)
    other = SPECIFICATION.replace("replicas: 2", "replicas: 0") + "name: other\n"
    (shell.checkout / "other.yaml").write_text(other)
    shell.ok("launch", "--config", "other.yaml")
    client.files.delete(project.id, layout.cluster_dir("other"))
    stranger = CreateApplicationRequest(
        project_id=project.id, name="other-worker-0", subdomain="stranger", script="jobs/git_sync.py",
        runtime_identifier=client.runtimes.list()[0].image_identifier,
    )  # fmt: skip
    client.applications.create(stranger)

    listed = shell.ok("gc", "--json").json()
    assert {(item["kind"], item["name"]) for item in listed["leftovers"]} == {
        ("application", "other-head"),
        ("launcher", "other_head_launcher.py"),
        ("launcher", "other_worker_launcher.py"),
    }
    assert client.applications.find(project.id, "other-head"), "listing removes nothing"
    assert "3 removed" in shell.ok("gc", "--yes").stderr
    nothing_to_do(shell, "gc", "--yes")
    names = {application.name for application in client.applications.list(project.id)}
    assert names == {"ray-head", "ray-worker-1", "other-worker-0"}
    nothing_to_do(shell, "scale", "--workers", "1")


def removed_with_its_project(shell: Shell) -> None:
    client, project = client_of(shell)
    kept = shell.run("down", "--project")
    assert kept.status == 1
    assert kept.stderr.endswith(
        "error: project ray is kept\n"
        "  it still has other-worker-0\n"
        "hint: remove it in the workspace's own pages, if nobody needs it\n"
    )
    left = {entry.path for entry in client.files.list(project.id)}
    assert not {name for name in left if "launcher" in name and name.endswith(".py") and name.startswith("ray")}
    stranger = client.applications.find(project.id, "other-worker-0")
    assert stranger
    client.applications.delete(project.id, stranger.id)
    assert "project ray removed" in shell.ok("down", "--project").stderr
    nothing_to_do(shell, "down", "--project")


def test_a_change_that_fails_stops_at_its_first_batch_and_can_be_taken_back(person: Callable[..., Shell]) -> None:
    shell = person()
    shell.ok("launch", "--workers", "2")
    good = json.dumps(nodes(shell))
    specify(shell, SPECIFICATION.replace("replicas: 2", "replicas: 2, resources: {CPU: 2}"))
    failed = shell.run("launch")
    assert failed.status == 1
    lines = failed.stderr.splitlines()
    assert any(line.startswith("error: node worker-") and line.endswith("has failed") for line in lines)
    assert any("the change stops here; as before it: worker-" in line for line in lines)
    assert lines[-1].endswith("python -m cai_deploy launch --rollback")
    evidence = lines[-2].split()[-4]
    client, project = client_of(shell)
    assert "the node agent ended with status" in (client.files.read_text(project.id, evidence) or "")
    assert "log of worker" in shell.ok("explain").stdout
    alive = {node["name"] for node in shell.status()["nodes"] if node["ray_state"] == "ALIVE"}
    assert len(alive) == 2, "the head, and the worker that was not touched"

    back = shell.ok("launch", "--rollback", "--json").json()
    assert back["converged"]
    assert json.dumps(nodes(shell)) == good
    nothing_to_do(shell, "launch", "--rollback")
    git(shell.checkout, "checkout", "cai-deploy.yaml")
