"""A worker's container without its network for a minute, under work: real engine, real Compose, real Ray.

The tests share one cluster. How long it took until it was whole again is printed.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.conftest import poll
from tests.e2e.private_docker import DockerShell, PrivateDocker, private_docker, someone, unavailable

NO_DOCKER = unavailable()

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.root,
    pytest.mark.skipif(bool(NO_DOCKER), reason=NO_DOCKER),
]

CUT = 60.0
SPECIFICATION = """
head: {cpu: 1, memory_gb: 1.5}
workers: [{replicas: 2, cpu: 1, memory_gb: 1.5}]
timeouts: {launch: 480, join: 240, stop: 10}
"""

WORKS = """
import sys, time
from pathlib import Path
import ray

ray.init('auto')
me = ray.get_runtime_context().get_node_id()
print('on', *[node['NodeName'] for node in ray.nodes() if node['NodeID'] == me], flush=True)

@ray.remote(num_cpus=0.5, max_retries=-1, scheduling_strategy='SPREAD')
def answer(number):
    time.sleep(0.1)
    return number

rounds = 0
while not Path(sys.argv[1]).exists():
    assert ray.get([answer.remote(number) for number in range(4)]) == [0, 1, 2, 3]
    rounds += 1
print('rounds', rounds)
"""


@pytest.fixture(scope="module")
def docker() -> Iterator[PrivateDocker]:
    with private_docker() as started:
        yield started


@pytest.fixture(scope="module")
def shell(docker: PrivateDocker) -> Iterator[DockerShell]:
    made = someone(docker, SPECIFICATION)
    made.ok("launch")
    made.commit("works.py", WORKS)
    yield made
    made.run("down")


def cable_of(docker: PrivateDocker, container: dict[str, Any]) -> str:
    """The end of a container's cable that is in the engine's network."""
    index = docker.run("docker", "exec", container["Id"], "cat", "/sys/class/net/eth0/iflink").strip()
    found = [line.split() for line in docker.run("ip", "-o", "link").splitlines()]
    return next(words[1].partition("@")[0].rstrip(":") for words in found if words[0] == f"{index}:")


def pull_the_cable(docker: PrivateDocker, container: dict[str, Any]) -> Callable[[], object]:
    cable = cable_of(docker, container)
    docker.run("ip", "link", "set", cable, "down")
    return lambda: docker.run("ip", "link", "set", cable, "up")


def disconnect(docker: PrivateDocker, container: dict[str, Any]) -> Callable[[], object]:
    """As a person does with Docker's own command; who comes back may have another address, and keeps its name."""
    (network,) = container["NetworkSettings"]["Networks"]
    aliases = [f"--alias={each}" for each in container["NetworkSettings"]["Networks"][network]["Aliases"]]
    docker.run("docker", "network", "disconnect", network, container["Id"])
    return lambda: docker.run("docker", "network", "connect", *aliases, network, container["Id"])


@pytest.mark.parametrize("cut", [pull_the_cable, disconnect])
def test_a_cut_of_a_minute_heals_and_work_goes_on(
    docker: PrivateDocker, shell: DockerShell, cut: Callable[..., Callable[[], object]]
) -> None:
    end = shell.checkout / f"end-of-{cut.__name__}"
    work = shell.start("submit", "--", "python", "works.py", str(end))
    try:
        mine = first_words(work)
        victim = next(node for node in shell.status()["nodes"] if node["name"] not in ("head", mine))
        (container,) = [each for each in docker.containers() if each["Id"].startswith(victim["native_id"])]
        mend = cut(docker, container)
        began = time.monotonic()
        try:
            poll("Ray gives it up", lambda: states(shell)[victim["name"]] != "ALIVE", CUT)
            gone = time.monotonic() - began
            time.sleep(max(0.0, began + CUT - time.monotonic()))
        finally:
            mend()
        mended = time.monotonic()
        poll("all are there again", lambda: set(states(shell).values()) == {"ALIVE"}, 120)
        print(f"{cut.__name__}: given up after {gone:.0f} s, back {time.monotonic() - mended:.0f} s after the cut")
        end.touch()
        out, err = work.communicate(timeout=120)
        assert work.returncode == 0, err + out
        assert "rounds" in out
    finally:
        work.kill()
    assert shell.ok("launch", "--json").json()["steps"] == []


def first_words(work: subprocess.Popen[str]) -> str:
    """On which node the work's script is."""
    assert work.stdout is not None
    for line in work.stdout:
        if line.startswith("on "):
            return line.split()[1]
    raise AssertionError("the work did not begin")


def states(shell: DockerShell) -> dict[str, str]:
    return {node["name"]: node["ray_state"] for node in shell.status()["nodes"]}
