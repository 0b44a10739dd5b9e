"""A cluster on Slurm, from nothing to nothing by the command line: real jobs, real Ray, one machine for all."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import REPOSITORY, Shell, poll
from tests.e2e.private_slurm import PrivateSlurm, missing, private_slurm

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing()), reason=f"needs Slurm: {', '.join(missing())} not found"),
]

SPECIFICATION = """
place: slurm
head: {cpu: 1, memory_gb: 0.9}
workers: [{replicas: 1, cpu: 1, memory_gb: 0.5}]
timeouts: {launch: 480, join: 240, stop: 20}
"""


@pytest.fixture
def slurm() -> Iterator[PrivateSlurm]:
    with private_slurm() as running:
        yield running


@pytest.fixture
def person(slurm: PrivateSlurm) -> Iterator[Shell]:
    checkout, home = slurm.home / "project", slurm.home / "home"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(checkout)], check=True)
    home.mkdir()
    shell = Shell(checkout, home, environ={"SLURM_CONF": str(slurm.configuration)})
    shell.commit("cai-deploy.yaml", SPECIFICATION)
    yield shell
    shell.run("down")


def jobs(slurm: PrivateSlurm) -> dict[str, str]:
    """The jobs in the queue, by name, each with its number."""
    lines = slurm.command("squeue", "--noheader", "--format=%j %i").splitlines()
    return dict(line.split() for line in lines)


def nodes(person: Shell) -> dict[str, str]:
    return {node["name"]: node["ray_state"] for node in person.status()["nodes"]}


def another_head(person: Shell, head: str) -> None:
    text = SPECIFICATION.replace("cpu: 1, memory_gb: 0.9", head)
    (person.checkout / "cai-deploy.yaml").write_text(text)


def test_the_life_of_a_cluster(slurm: PrivateSlurm, person: Shell) -> None:
    person.ok("launch")
    assert nodes(person) == {"head": "ALIVE", "worker-0": "ALIVE"}
    first = jobs(slurm)
    assert sorted(first) == ["ray-head", "ray-worker-0"]

    assert "nothing to do" in person.ok("launch").stderr
    assert jobs(slurm) == first

    submitted = person.ok("submit", "--", "python", "-c", "import ray; ray.init(); print('NODES', len(ray.nodes()))")
    assert "NODES 2" in submitted.stdout
    assert "runs on the cluster's head, and would die with it: its nodes share a machine" in submitted.stderr

    person.ok("scale", "--workers", "2")
    assert nodes(person) == {"head": "ALIVE", "worker-0": "ALIVE", "worker-1": "ALIVE"}
    person.ok("scale", "--workers", "1")
    poll("the second worker's job is gone", lambda: jobs(slurm) == first)

    slurm.command("scancel", first["ray-worker-0"])
    poll("the first worker's job is gone", lambda: sorted(jobs(slurm)) == ["ray-head"])
    assert f"worker-0: it was cancelled (job {first['ray-worker-0']})" in person.ok("launch").stderr
    assert nodes(person) == {"head": "ALIVE", "worker-0": "ALIVE"}
    assert jobs(slurm)["ray-head"] == first["ray-head"]

    another_head(person, "cpu: 1, memory_gb: 64")  # which no machine has
    assert "Slurm does not take the job ray-head" in person.run("launch").stderr
    assert jobs(slurm)["ray-head"] == first["ray-head"]
    another_head(person, "cpu: 2, memory_gb: 0.9")
    person.ok("launch")
    assert nodes(person) == {"head": "ALIVE", "worker-0": "ALIVE"}
    assert jobs(slurm)["ray-head"] != first["ray-head"]

    assert "joining the head" in person.ok("logs", "worker-0").stdout
    person.ok("down")
    assert jobs(slurm) == {}
    assert "stopped" in person.ok("logs", "head").stdout
    ended = slurm.command("squeue", "--noheader", "--states=all", "--format=%T").split()
    assert ended.count("CANCELLED") == 1, "somebody else than we has cancelled a job"
    assert ended.count("FAILED") <= 1, "more has failed than what was refused"


def test_a_job_that_can_never_start_says_why(slurm: PrivateSlurm, person: Shell) -> None:
    limits = 'slurm: {partition: short, time: "60"}'
    (person.checkout / "cai-deploy.yaml").write_text(f"{SPECIFICATION}{limits}\n")
    failed = person.run("launch")
    assert failed.status == 1
    assert "its time is over the partition's limit" in failed.stderr
    (person.checkout / "cai-deploy.yaml").write_text(f"{SPECIFICATION}slurm: {{partition: nope}}\n")
    refused = person.run("launch")
    assert "there is no partition nope" in refused.stderr
    assert "main, short, shut" in refused.stderr
    person.ok("down")
    assert jobs(slurm) == {}
