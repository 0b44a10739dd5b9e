"""A cluster on a rootless Docker: an ordinary user's own engine, real Compose, real Ray.

Its tests share one cluster. They are long as the engine has to be set up, with an environment that its user can read.
"""

from __future__ import annotations

import contextlib
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ORDINARY_USER
from tests.e2e.docker_people import ordinary
from tests.e2e.private_docker import DockerShell, PrivateDocker, private_docker
from tests.e2e.rootless_docker import RootlessDocker, unavailable
from tests.polling import eventually

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.root,
    pytest.mark.skipif(bool(unavailable()), reason=unavailable()),
]

SPECIFICATION = """
head: {cpu: 1, memory_gb: 1.5}
workers: [{replicas: 1, cpu: 1, memory_gb: 1}]
timeouts: {launch: 480, join: 240, stop: 10}
"""

TASKS = """
import ray
ray.init('auto', log_to_driver=False)
names = {node['NodeID']: node['NodeName'] for node in ray.nodes()}
here = ray.remote(num_cpus=1)(lambda: ray.get_runtime_context().get_node_id())
pinned = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
asked = [here.options(scheduling_strategy=pinned(node, soft=False)).remote() for node in names]
print(*sorted(names[each] for each in ray.get(asked)))
"""


@pytest.fixture(scope="module")
def docker() -> Iterator[PrivateDocker]:
    with private_docker(RootlessDocker) as started:
        yield started
    eventually(lambda: not processes_below(started.home), seconds=30)


def processes_below(home: Path) -> list[int]:
    """Those that were told to keep what is theirs there."""
    mark, found = f"HOME={home}/".encode(), []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (directory / "environ").read_bytes():
                found.append(int(directory.name))
    return found


@pytest.fixture(scope="module")
def shell(docker: PrivateDocker) -> Iterator[DockerShell]:
    """The engine's user, who has it as a context of Docker's, as its own setup makes one."""
    made = ordinary(docker, SPECIFICATION)
    del made.environ["DOCKER_HOST"]
    made.environ["XDG_RUNTIME_DIR"] = str(docker.socket.parent)
    yield made
    made.run("down")


@pytest.fixture(scope="module")
def used(shell: DockerShell, docker: PrivateDocker) -> DockerShell:
    """The same, once Docker's context is that engine."""
    who = pwd.getpwnam(ORDINARY_USER)
    theirs = ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups", "docker", "context"]
    for words in (["create", "rootless", "--docker", f"host=unix://{docker.socket}"], ["use", "rootless"]):
        subprocess.run(docker.inside(*theirs, *words), env=shell.env(), check=True, capture_output=True)
    return shell


def where_tasks_run(shell: DockerShell, docker: PrivateDocker) -> str:
    """The nodes on which a task each has run, as one says who runs it in the head's container."""
    (head,) = [each for each in docker.containers() if "-head-" in each["Name"]]
    told = shell.ok("connect", "--json").json()["in_the_project"]
    variables = [f"--env={name}={value}" for name, value in told.items()]
    python = "/opt/cai-deploy/environment/bin/python"
    return docker.run("docker", "exec", *variables, head["Id"], python, "-c", TASKS).splitlines()[-1]


@pytest.mark.skipif(Path("/var/run/docker.sock").exists(), reason="this machine has an engine of its own")
def test_who_has_one_and_does_not_say_so_is_told_where_it_is(shell: DockerShell, docker: PrivateDocker) -> None:
    ran = shell.run("launch")
    assert ran.status == 5
    assert ran.stderr.splitlines()[-1] == (
        f"hint: your own engine, a rootless one, is at {docker.socket}: export DOCKER_HOST=unix://{docker.socket}"
    )


def test_it_is_launched_once_and_goes_without_a_trace(used: DockerShell, docker: PrivateDocker) -> None:
    shell = used
    told = shell.ok("doctor").stdout
    assert "(rootless) answers" in told
    shell.ok("launch")
    assert [node["ray_state"] for node in shell.status()["nodes"]] == ["ALIVE", "ALIVE"]
    who = pwd.getpwnam(ORDINARY_USER)
    assert {path.lstat().st_uid for path in shell.checkout.rglob("*")} == {who.pw_uid}
    assert {each["Config"]["User"] for each in docker.containers()} == {""}
    assert where_tasks_run(shell, docker) == "head worker-0"
    assert shell.ok("launch", "--json").json()["steps"] == []
    shell.ok("scale", "--workers", "2")
    assert len(docker.containers()) == 3
    shell.ok("down")
    assert docker.containers() == []
    assert shell.ok("down", "--json").json()["removed"] == 0
    assert list((shell.checkout / ".cai-deploy" / "clusters").glob("*")) == []


def test_what_needs_the_network_of_the_machine_is_refused(used: DockerShell, docker: PrivateDocker) -> None:
    token = used.checkout / "token"
    token.write_text("t" * 32)
    ran = used.run("up-worker", "--head-ip", "10.0.0.1", "--node-ip", "10.0.0.2", "--token-file", str(token))
    assert ran.status == 2
    assert "error: a rootless engine gives no container the network of this machine" in ran.stderr
    assert docker.containers() == []
