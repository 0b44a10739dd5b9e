"""What commands say where nothing has been launched yet, with a Slurm that really answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.private_slurm import PrivateSlurm, missing, private_slurm

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing()), reason=f"needs Slurm: {', '.join(missing())} not found"),
]

PACKAGE_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    with private_slurm() as running:
        yield running


def run(slurm: PrivateSlurm, spec: str, *command: str) -> subprocess.CompletedProcess[str]:
    directory = slurm.home / "project"
    directory.mkdir(exist_ok=True)
    (directory / "cai-deploy.yaml").write_text(spec)
    environ = {**slurm.environ, "PYTHONPATH": str(PACKAGE_ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "cai_deploy", *command],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("asked", "head", "worker"),
    [
        ("{}", "main", "main"),
        ("{partition: 'short,main', time: '4:00:00'}", "main", "main"),
        ("{partition: nowhere}", "there is no partition nowhere", "there is no partition nowhere"),
        ("{partition: shut}, head: {slurm: {partition: main}}", "main", "shut is not up"),
    ],
)
def test_doctor_says_where_jobs_would_run(slurm: PrivateSlurm, asked: str, head: str, worker: str) -> None:
    ran = run(slurm, f"{{place: slurm, slurm: {asked}}}", "doctor", "--json")
    checks = {check["name"]: check for check in json.loads(ran.stdout)["checks"]}
    assert list(checks) == ["specification", "directory", "slurm", "partition of head", "partition of worker"]
    assert "cluster private answers" in checks["slurm"]["found"]
    assert checks["partition of head"]["found"].startswith(head)
    assert checks["partition of worker"]["found"].startswith(worker)
    assert ran.returncode == (0 if all(check["ok"] for check in checks.values()) else 1)


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        (["status"], 0, "there is no cluster ray here"),
        (["down"], 0, "nothing to do: no nodes"),
        (["down", "--project"], 2, "there is no project to remove"),
        (["deploy"], 2, "there is no clone to bring to a commit"),
        (["launch", "--inline"], 2, "launch_with: a job of slurm runs a launcher"),
        (["gc"], 2, "nothing is left over but files"),
    ],
)
def test_where_nothing_was_launched(slurm: PrivateSlurm, command: list[str], status: int, told: str) -> None:
    ran = run(slurm, "place: slurm", *command)
    assert (ran.returncode, ran.stdout) == (status, "")
    assert told in ran.stderr


def test_the_story_begins_with_the_directory(slurm: PrivateSlurm) -> None:
    ran = run(slurm, "place: slurm", "status")
    assert ran.stderr.splitlines()[0] == f"place: Slurm, with the files in {slurm.home / 'project'}"
