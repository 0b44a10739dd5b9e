"""What it costs to ask for what is there already: calls of the API one by one, and time beside Python's own start.

The workspace, its pods, the command and the launchers are the real ones; in place of Ray stand scripts, so that the
cluster costs the machine nothing meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.places.cai.environments import needed
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.testing import local_workspace
from tests.benchmarks.conftest import Record, Size
from tests.benchmarks.rows import at_most, count
from tests.chaos.cluster_of_scripts import Bench, Cluster
from tests.e2e.conftest import git

pytestmark = pytest.mark.short

APPLICATIONS = ("GET", "/api/v2/projects/{project_id}/applications")
FILE = ("POST", "/api/v2/projects/{project_id}/files/{path}:download")
LOOK = {
    ("GET", "/api/v2/projects"): 1,
    APPLICATIONS: 1,
    FILE: 2,  # the token that opens the head's door, and the specification in force
}
"""Everything that a launch asks the API: all else, the agent of the cluster's head tells."""

WITH_COMMIT = {**LOOK, FILE: LOOK[FILE] + 3}  # two files of git's, and the lock file
CALLS = {"launch": LOOK, "plan": WITH_COMMIT, "status": {**WITH_COMMIT, APPLICATIONS: 2}}
"""``status`` looks first for what was last wanted, and then whether that is what is there."""

MOST_CALLS = 4
MOST_SECONDS = 0.3


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with local_workspace(stop_grace=1) as workspace:
        yield Bench(workspace, tmp_path_factory.mktemp("no-op"))


@pytest.fixture(scope="module")
def cluster(bench: Bench) -> Cluster:
    """A cluster that is as its specification wants it, in an environment that its repository brings along."""
    cluster = bench.new_cluster()
    spec = cluster.want()
    bring_environment(bench, spec)
    launched = bench.run("launch", "--config", str(cluster.file))
    assert launched.status == 0, launched.told
    bench.check_up(cluster, spec)
    return cluster


def bring_environment(bench: Bench, spec: ClusterSpec) -> None:
    lock = (bench.checkout / spec.environment.requirements).read_text()
    seen = CaiObservation(runtimes=tuple(bench.client.runtimes.list()), requirements=lock)
    name = needed(spec, seen)[HEAD].name
    python = bench.checkout / layout.environment_dir(name) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).resolve()}" node.py\n')
    python.chmod(0o755)
    (bench.checkout / layout.environment_ready_file(name)).write_text("{}\n")
    git(bench.checkout, "add", "--force", ".")
    git(bench.checkout, "commit", "-qm", "an environment")


@pytest.mark.parametrize("verb", CALLS)
def test_the_calls_of_a_command_that_finds_nothing_to_do(
    bench: Bench, cluster: Cluster, record: Record, verb: str
) -> None:
    bench.faults.clear()
    ran = bench.run(verb, "--config", str(cluster.file))
    calls = bench.faults.calls()
    assert ran.status == 0, ran.told
    assert "nothing to do" in ran.told or verb == "status"
    assert calls == CALLS[verb]
    row = count(f"calls of `{verb}` on a cluster that is as wanted", sum(calls.values()))
    record(row.toward(at_most(MOST_CALLS)) if verb == "launch" else row)


def test_a_change_by_hand_is_still_seen(bench: Bench, cluster: Cluster) -> None:
    project = bench.find_project(cluster).id
    for path in ("requirements/cluster.txt", "ray_worker_launcher.py", ".cai-deploy/clusters/ray/spec.json"):
        before = bench.client.files.download(project, path)
        bench.client.files.upload(project, path, before + b"\nsix==1.17.0\n")
        planned = bench.run("plan", "--config", str(cluster.file))
        assert planned.status == 0, planned.told
        assert "nothing to do" not in planned.told, path
        bench.client.files.upload(project, path, before)
    assert "nothing to do" in bench.run("plan", "--config", str(cluster.file)).told


def test_the_time_of_a_launch_that_finds_nothing_to_do(
    bench: Bench, cluster: Cluster, record: Record, size: Size
) -> None:
    python, launch = ["-c", "pass"], ["-m", "cai_deploy", "launch", "--config", str(cluster.file)]
    spent(bench, launch)  # the first of all compiles what it imports
    floor, ours = [], []
    for _ in range(size.rounds):
        floor.append(spent(bench, python))
        ours.append(spent(bench, launch))
    rows = {
        "seconds": [one.seconds - other.seconds for one, other in zip(ours, floor, strict=True)],
        "CPU seconds": [one.cpu - other.cpu for one, other in zip(ours, floor, strict=True)],
    }
    for unit, above in rows.items():
        row = count(f"`launch` on a cluster that is as wanted: {unit} above Python's start", *above)
        record(row.toward(at_most(MOST_SECONDS), "most of it is imports"))


@dataclass(frozen=True)
class Spent:
    """What a command took: by the clock, and of the processors, which others do not change as much."""

    seconds: float
    cpu: float


def spent(bench: Bench, arguments: list[str]) -> Spent:
    environ = {name: value for name, value in bench.env().items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, began = os.times(), time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], cwd=bench.checkout, env=environ, capture_output=True, check=True, timeout=60
    )
    seconds, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Spent(seconds, cpu)
