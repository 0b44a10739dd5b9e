"""Jobs on real Ray in pods, through the head's application alone, as a person with a shell submits them.

One cluster serves all tests of this module.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cai_deploy.testing.admin import Admin
from cai_deploy.testing.faults import Faults
from tests.e2e.conftest import Ran, Shell, git, heeds_ctrl_c, people, poll
from tests.e2e.jobs import client_of, exported
from tests.e2e.test_drain import Door
from tests.e2e.test_failover import told

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SECRET = "pl4nted-value-of-a-variable"

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "0.1"
"""

WHOLE = """
import json, os, sys
import alpha, beta, ray
ray.init(logging_level='ERROR')
remote = ray.remote(lambda: [alpha.WORD, beta.WORD, os.environ['FROM_FILE']])
names = {node['NodeID']: node['NodeName'] for node in ray.nodes()}
print('TOLD ' + json.dumps({
    'words': ray.get(remote.remote()),
    'driver_on': names[ray.get_runtime_context().get_node_id()],
    'files': sorted(name for name in os.listdir('.') if not name.startswith('_')),
    'variables': {name: os.environ.get(name) for name in ('OMP_NUM_THREADS', 'PYTHONUNBUFFERED', 'FROM_HERE')},
    'installed_by': 'uv' if f'{os.sep}uv{os.sep}' in beta.__file__ else beta.__file__,
    'arguments': sys.argv[1:],
}))
"""

COUNTING = """
import pathlib, sys, time
gate = pathlib.Path.home() / sys.argv[1]
number = 0
while not gate.exists():
    print('line', number, flush=True)
    number += 1
    time.sleep(0.05)
for _ in range(200):
    print('line', number, flush=True)
    number += 1
print('WROTE', number)
sys.exit(23)
"""


@dataclass
class Submitter:
    """A person in a project of their own, beside the checkout that the cluster came from."""

    shell: Shell
    project: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.shell.argv(*arguments),
            cwd=self.project,
            env={**self.shell.env(), "PYTHONPATH": str(self.shell.checkout), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heeds_ctrl_c,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, **environ: str) -> Ran:
        process = self.start(*arguments, **environ)
        out, err = process.communicate(timeout=300)
        print(f"$ cai_deploy {' '.join(arguments)}\n{err}{out}(status {process.returncode})")
        return Ran(process.returncode, out, err)

    def jobs(self) -> dict[str, Any]:
        return {job["submission_id"]: job for job in self.run("jobs", "list", "--json").json()["jobs"]}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Shell]:
    with people() as make:
        shell = make()
        shell.ok("launch", "--workers", "2")
        yield shell


@pytest.fixture
def person(cluster: Shell, tmp_path: Path) -> Iterator[Submitter]:
    project = tmp_path / "project"
    project.mkdir()
    git(project, "init", "-q")
    shutil.copy(cluster.checkout / "cai-deploy.yaml", project)
    submitter = Submitter(cluster, project)
    yield submitter
    for process in submitter.started:
        process.kill()


def package(directory: Path, name: str, word: str) -> None:
    (directory / "src" / name).mkdir(parents=True)
    (directory / "pyproject.toml").write_text(PROJECT.format(name=name))
    (directory / "src" / name / "__init__.py").write_text(f"WORD = {word!r}\n")


def test_a_directory_two_wheels_an_environment_and_variables(person: Submitter, tmp_path: Path) -> None:
    package(person.project, "alpha", "first")
    package(tmp_path / "beta", "beta", "second")
    uv = [sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--out-dir", str(tmp_path / "dist")]
    subprocess.run([*uv, str(tmp_path / "beta")], check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (person.project / "whole.py").write_text(WHOLE)
    (person.project / "env.yaml").write_text("uv: {packages: [], uv_check: false}\nenv_vars: {FROM_FILE: told}\n")
    (person.project / ".env").write_text("KEY=1")
    (person.project / "left.log").write_text("x")
    (person.project / ".gitignore").write_text("*.log\n")
    options = ["--runtime-env", "env.yaml", "--build-wheels", "--wheel", str(wheel), "--env", "FROM_HERE"]
    command = ["--", "python", "whole.py", "--seed", "1", "a b"]
    ran = person.run("submit", *options, *command, FROM_HERE=SECRET)
    assert ran.status == 0, ran.stderr
    told = json.loads(ran.stdout.partition("TOLD ")[2].splitlines()[0])
    assert told["driver_on"].startswith("worker-")
    del told["driver_on"]
    assert told == {
        "words": ["first", "second", "told"],
        "files": [".gitignore", "cai-deploy.yaml", "env.yaml", "pyproject.toml", "src", "whole.py"],
        "variables": {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "FROM_HERE": SECRET},
        "installed_by": "uv",
        "arguments": ["--seed", "1", "a b"],
    }
    assert "left out, as they look like secrets: .env" in ran.stderr
    assert SECRET not in ran.stderr
    again = person.run("submit", *options, "--no-wait", *command, FROM_HERE=SECRET)
    assert "working directory unchanged, not sent again" in again.stderr
    person.run("jobs", "stop", again.stdout.strip())


def test_the_tail_outlives_the_head_and_the_exit_code_is_the_jobs(person: Submitter) -> None:
    (person.project / "count.py").write_text(COUNTING)
    process = person.start("submit", "--", "python", "count.py", "gate")
    lines = read_until(process, "line 20\n")

    exports = exported(person.shell)
    admin, door = Admin(exports["CML_HOST"], exports["CML_API_KEY"]), Door(person.shell)
    admin.ask("PATCH", "settings", {"restart_pause": 0.5})
    before = door.get("/cai-deploy/nodes")["connection"]
    Faults(admin).add("pod_killed", target="ray-head", count=1)
    poll("the head is back", lambda: head_since(door, before["epoch"]), deadline=90)
    assert head_since(door, before["epoch"])["node_address"] != before["node_address"]
    # Lines are written while nobody can read them, and the tail shows them all once it has found its way again.
    lines += read_until(process, f"line {len(lines) + 200}\n")
    client, project = client_of(person.shell)
    client.files.create(project.id, "gate", b"")
    rest, err = what_is_left(process)
    lines += rest
    assert process.returncode == 23
    assert "the head answers again" in err
    counted = [line for line in lines if line.startswith("line ")]
    assert counted == [f"line {number}\n" for number in range(len(counted))]
    assert lines[-1] == f"WROTE {len(counted)}\n"


def test_a_job_that_fails_and_one_that_is_stopped(person: Submitter) -> None:
    failed = person.run("submit", "--", "exit 7")
    assert (failed.status, written(failed.stdout)) == (7, [])
    assert "its program ended with 7" in failed.stderr
    process = person.start("submit", "--submission-id", "sleeper", "--", "echo up; exec sleep 300")
    read_until(process, "up\n")
    assert person.run("jobs", "stop", "sleeper").stderr.endswith("job sleeper STOPPED\n")
    what_is_left(process)
    assert process.returncode == 143
    again = person.run("submit", "--submission-id", "sleeper", "--", "echo up; exec sleep 300")
    assert (again.status, again.stdout) == (143, "")
    assert "nothing to do" in again.stderr


def test_leaving_a_job_and_coming_back(person: Submitter) -> None:
    left = person.run("submit", "--no-wait", "--", "echo one; sleep 2; echo two; exit 9")
    job_id = left.stdout.strip()
    followed = person.run("jobs", "logs", "--follow", job_id)
    assert (followed.status, written(followed.stdout)) == (9, ["one", "two"])
    assert person.run("jobs", "logs", job_id).stdout == followed.stdout
    assert person.run("jobs", "status", job_id).stdout == "FAILED\n"
    process = person.start("submit", "--submission-id", "left", "--", "echo up; sleep 300")
    read_until(process, "up\n")
    process.send_signal(signal.SIGINT)
    _, err = what_is_left(process)
    assert process.returncode == 130
    assert "detached: job left goes on" in err
    assert person.jobs()["left"]["status"] == "RUNNING"
    person.run("jobs", "stop", "left")


def read_until(process: subprocess.Popen[str], last: str) -> list[str]:
    """What the program writes, up to the line ``last``."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == last:
            return lines
    raise AssertionError(f"it ended after {lines[-5:]}: {what_is_left(process)[1]}")


def what_is_left(process: subprocess.Popen[str]) -> tuple[list[str], str]:
    """What the program still writes until its end, after ``read_until``; and its story."""
    assert process.stdout
    assert process.stderr
    lines, story = process.stdout.readlines(), process.stderr.read()
    process.wait(timeout=60)
    print(story)
    return lines, story


def written(output: str) -> list[str]:
    """The lines of the program; Ray writes one of its own, before or after the first of them."""
    return [line for line in output.splitlines() if not line.startswith("Running entrypoint for job")]


def head_since(door: Door, epoch: int) -> dict[str, Any]:
    """The connection of a head that has started after the one of ``epoch``; nothing while there is none."""
    connection = told(door, "/cai-deploy/nodes").get("connection") or {}
    return connection if connection.get("epoch", 0) > epoch else {}
