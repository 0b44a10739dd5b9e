"""The main journey, as root in pods, as an ordinary user in pods, and with loopback addresses alone.

Every command is run twice: the second time says that there is nothing to do.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.e2e.conftest import SPECIFICATION, Shell, git, poll
from tests.e2e.jobs import SPREAD, applications_of, run_job, run_ray_job

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Person = Callable[..., Shell]


def can_make_pods(user: str = "") -> bool:
    """Whether this host lets ``user`` (or us) make the namespaces of a pod."""
    unshare = ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc"]
    if user or os.geteuid() != 0:
        unshare += ["--user", "--map-root-user"]
    if user:
        unshare = ["setpriv", f"--reuid={user}", "--regid=65534", "--clear-groups", *unshare]
    return shutil.which("ip") is not None and subprocess.run([*unshare, "ip", "link"], check=False).returncode == 0


def three_alive(shell: Shell) -> dict[str, str]:
    """Three nodes ALIVE, by status; their native ids by name."""
    status = shell.status()
    assert set(status) >= {"cluster", "place", "converged", "nodes", "connection"}
    assert (status["cluster"], status["place"], status["converged"]) == ("ray", "cai", True)
    assert [node["group"] for node in status["nodes"]] == ["head", "worker", "worker"]
    assert {node["ray_state"] for node in status["nodes"]} == {"ALIVE"}
    assert {node["state"] for node in status["nodes"]} == {"running"}
    assert len({node["address"] for node in status["nodes"]}) == 3, "every node has an address of its own"
    assert status["connection"]["gcs_address"].startswith(status["nodes"][0]["address"])
    return {node["name"]: node["native_id"] for node in status["nodes"]}


def journey(shell: Shell) -> None:
    first = shell.ok("launch", "--workers", "2")
    assert "3 nodes ALIVE" in first.stderr
    ids = three_alive(shell)
    pods = network_namespaces(shell.processes()) - network_namespaces([os.getpid()])
    assert len(pods) >= 3 or shell.pod_mode == "loopback", "each node has a network namespace of its own"

    again = shell.ok("launch", "--workers", "2")
    assert "nothing to do: 3 nodes ALIVE" in again.stderr
    assert three_alive(shell) == ids

    placed = run_ray_job(shell, SPREAD)
    assert set(placed) >= {"worker-0", "worker-1"}, "a task ran on each worker"

    scaled = shell.ok("scale", "--workers", "3", "--json").json()
    assert scaled["steps"] == [
        "update specification .cai-deploy/clusters/ray/spec.json: differs from what is wanted",
        "create node worker-2: does not exist",
        "update record .cai-deploy/clusters/ray/converged.json: differs from what is wanted",
    ]
    assert {node["name"]: node["native_id"] for node in scaled["nodes"]}.items() > ids.items()
    assert "nothing to do" in shell.ok("scale", "--workers", "3").stderr

    back = shell.ok("scale", "--workers", "2", "--json").json()
    assert [step.partition(" ")[0] for step in back["steps"]] == ["update", "drain", "stop", "update"]
    assert len(three_alive(shell).items() & ids.items()) >= 2, "the two that stay were not touched"

    assert "3 nodes removed" in shell.ok("down").stderr
    poll("every process is gone", lambda: not shell.processes())
    assert not network_namespaces() & pods, "no namespace is left"
    assert "nothing to do" in shell.ok("down").stderr
    poll("every process is gone again", lambda: not shell.processes())


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(not can_make_pods(), reason="this host lets nobody make network namespaces")
def test_as_root_in_pods(person: Person) -> None:
    journey(person(pod_mode="root"))


@pytest.mark.userns
def test_as_an_ordinary_user_in_pods(person: Person) -> None:
    user = ordinary_user()
    if not can_make_pods(user):
        pytest.skip("this host forbids unprivileged user namespaces")
    journey(person(pod_mode="userns", user=user))


def test_with_loopback_addresses_as_an_ordinary_user(person: Person) -> None:
    journey(person(pod_mode="loopback", user=ordinary_user()))


def test_killed_in_the_middle_the_same_command_finishes_without_a_duplicate(person: Person) -> None:
    shell = person()
    for heard in ("create project", "create environment", "create node head"):
        process = shell.start("launch", "--workers", "2")
        assert process.stderr is not None
        for line in process.stderr:
            if heard in line:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
    shell.ok("launch", "--workers", "2")
    three_alive(shell)
    assert "nothing to do" in shell.ok("launch", "--workers", "2").stderr
    applications = shell.ok("workspace", "status", "--json").json()["applications"]
    assert applications == 3


def test_what_somebody_changed_by_hand_is_seen_and_repaired(person: Person) -> None:
    shell = person()
    shell.ok("launch", "--workers", "2")
    ids = three_alive(shell)
    applications, project_id = applications_of(shell)
    applications.delete(project_id, ids["worker-1"])
    applications.update(project_id, ids["worker-0"], cpu=7.0)
    applications.update(project_id, ids["head"], description="edited by hand")

    planned = shell.run("plan", "--workers", "2", "--exit-code")
    assert planned.status == 2
    assert planned.stdout.splitlines() == [
        "update node head: description: edited by hand -> head of the Ray cluster ray, by cai_deploy",
        "create node worker-1: does not exist",
        "drain node worker-0: before its restart",
        "restart node worker-0: cpu: 7.0 -> 1.0",
    ]
    assert shell.ok("launch", "--workers", "2", "--json").json()["steps"] == planned.stdout.splitlines()
    now = three_alive(shell)
    assert (now["head"], now["worker-0"]) == (ids["head"], ids["worker-0"])
    assert shell.ok("plan", "--workers", "2", "--exit-code").stdout == "nothing to do\n"


def test_deploy_twice_and_with_a_new_commit(person: Person) -> None:
    shell = person()
    shell.ok("deploy", "--workers", "2")
    ids = three_alive(shell)
    again = shell.ok("deploy", "--workers", "2")
    assert "nothing to do: 3 nodes ALIVE" in again.stderr

    before = git(shell.checkout, "rev-parse", "HEAD")[:12]
    commit = shell.commit("notes.txt", "a change that no node depends on\n")
    changed = shell.ok("deploy", "--workers", "2", "--json").json()
    assert changed["steps"] == [f"create code {commit[:12]}: the project is at {before}"]
    assert three_alive(shell) == ids
    assert "nothing to do" in shell.ok("deploy", "--workers", "2").stderr


def test_a_job_inside_the_workspace_launches_the_same_cluster(person: Person) -> None:
    shell = person()
    shell.ok("launch", "--workers", "1")
    shell.ok("workspace", "start")  # by name, so that it outlives the cluster
    shell.ok("down")
    told = run_job(shell, "jobs/launch_ray_cluster.py", "-- --workers 1")
    assert "2 nodes ALIVE" in told
    assert shell.status()["converged"]
    assert "nothing to do: 2 nodes ALIVE" in run_job(shell, "jobs/launch_ray_cluster.py", "-- --workers 1")
    assert "nothing to do" in shell.ok("launch", "--workers", "1").stderr


def test_inline_commands_instead_of_scripts(person: Person) -> None:
    shell = person()
    first = shell.ok("launch", "--workers", "2", "--inline")
    assert "3 nodes ALIVE" in first.stderr
    assert "inline" in first.stderr
    three_alive(shell)
    assert "nothing to do" in shell.ok("launch", "--workers", "2", "--inline").stderr

    program = "from cai_deploy.cluster import start_cluster; done = start_cluster(workers=2); print(len(done.applied))"
    called = subprocess.run(
        [shell.python, "-c", program], cwd=shell.checkout, env=shell.env(), capture_output=True, text=True, check=True
    )
    assert called.stdout == "0\n", "the Python API wants the same, so there is nothing to do"


def test_what_fails_says_why_and_goes_on_once_it_is_mended(person: Person) -> None:
    shell = person()
    good = (shell.checkout / "requirements/cluster.txt").read_text()
    shell.commit("requirements/cluster.txt", good + "\nno-such-package-at-all==1.0\n")
    failed = shell.run("launch", "--workers", "1")
    assert failed.status == 1
    assert "no-such-package-at-all" in failed.stderr
    assert "hint:" in failed.stderr
    shell.commit("requirements/cluster.txt", good)
    shell.commit("my_head.py", "raise RuntimeError('the script of our own')\n")
    shell.commit("cai-deploy.yaml", SPECIFICATION.replace("head: {", "head: {script: my_head.py, "))
    broken = shell.run("deploy", "--workers", "1")
    assert broken.status == 1
    assert "error: node head: has failed" in broken.stderr
    shell.commit("cai-deploy.yaml", SPECIFICATION)
    assert "2 nodes ALIVE" in shell.ok("deploy", "--workers", "1").stderr


def network_namespaces(pids: Iterable[int] | None = None) -> set[int]:
    """The network namespaces that these processes are in, or any process at all."""
    chosen = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()] if pids is None else pids
    found = set()
    for pid in chosen:
        try:
            found.add(Path(f"/proc/{pid}/ns/net").stat().st_ino)
        except OSError:
            continue
    return found


def ordinary_user() -> str:
    """Whom to run as: nobody, when we are root; "" (ourselves) when we are an ordinary user already."""
    if os.geteuid() != 0:
        return ""
    return "nobody"
