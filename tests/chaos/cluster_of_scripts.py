"""A cluster that is up in tenths of a second, to be launched, spoiled and looked at hundreds of times.

The workspace, its pods, its API, the command line and the launchers are the real ones. The repository that the project
clones is not: its node agent is a script without Ray, and the job that makes an environment does so in no time
(``command.py``). What Ray does when a cluster comes up and goes is covered by ``tests/e2e``; here it is the deployer
that is put to the test.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cai_deploy import layout
from cai_deploy.api.application_http import ApplicationHttp, ApplicationNotAnswering
from cai_deploy.api.client import Client
from cai_deploy.api.errors import NotFound
from cai_deploy.api.schemas import Application, Project
from cai_deploy.api.transport import Transport
from cai_deploy.config import build
from cai_deploy.places.cai import names
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.testing import LocalWorkspace
from tests.chaos import command
from tests.polling import eventually

REPOSITORY = Path(__file__).with_name("repository")
TESTS = Path(__file__).parents[1]
CLUSTER = "ray"
LONGEST_COMMAND = 60
DUPLICATE = re.compile(r"\(\d+\)(\.|$)")
"""How the workspace names an upload whose name is taken."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ran:
    """A command that has ended: its exit status, negative for the signal that killed it, and all that it told."""

    status: int
    told: str

    @property
    def did_nothing(self) -> bool:
        return self.status == 0 and "nothing to do" in self.told


@dataclass(frozen=True)
class Cluster:
    """What is wanted of one cluster, as its specification's file says it, in a project of its own."""

    project: str
    file: Path

    def want(self, *, workers: int = 2, cpu: float = 1, head_cpu: float = 1, setting: str = "") -> ClusterSpec:
        """Write the specification down, and return it."""
        env = {"SETTING": setting} if setting else {}
        wanted: dict[str, Any] = {
            "name": CLUSTER,
            "project": {"name": self.project},
            "head": {"cpu": head_cpu, "memory_gb": 1},
            "workers": [{"replicas": workers, "cpu": cpu, "memory_gb": 1, "env": env}],
            "timeouts": {"project": 20, "setup": 20, "launch": 30, "join": 20, "stop": 5},
        }
        self.file.write_text(json.dumps(wanted))
        return build(wanted, source=self.file.name)


class Bench:
    """A workspace, a checkout in front of it, and a person who looks at what came of a command.

    The person has a client of their own, which is never spoiled on purpose: look only when no fault is in force.
    """

    def __init__(self, workspace: LocalWorkspace, directory: Path) -> None:
        self.workspace = workspace
        self.faults = workspace.faults
        self.checkout = make_repository(directory / "checkout")
        self._directory = directory
        self.client = Client(Transport(workspace.host, workspace.api_key))
        self._door = ApplicationHttp(workspace.host, workspace.api_key)

    def new_cluster(self) -> Cluster:
        """A name that nothing in the workspace has, so that cases do not know of each other."""
        name = f"case-{next(_numbers)}"
        return Cluster(name, self._directory / f"{name}.yaml")

    def env(self) -> dict[str, str]:
        """The environment of a command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CML_", "CDSW_", "CAI_"))}
        return {**kept, **self.workspace.env(), "NO_COLOR": "1"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command in a process of its own, as a person starts it."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.command", *arguments],
            cwd=self.checkout,
            env={**self.env(), "PYTHONPATH": str(TESTS.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> Ran:
        """A command to its end."""
        process = self.start(*arguments)
        told, _ = process.communicate(timeout=LONGEST_COMMAND)
        return Ran(process.returncode, told)

    def run_in_fork(self, *arguments: str, transport: Callable[..., Transport] = Transport) -> Ran:
        """A command in a fork of this process: the same, without the time that imports take.

        ``transport`` is what it speaks through, so that it can hurry, or die. It is a process and no function call, for
        a command that dies must take everything along that it holds.
        """
        with tempfile.TemporaryFile() as told:
            pid = os.fork()
            if pid == 0:
                _become_a_command(told.fileno(), self.checkout, self.env(), arguments, transport)
            _, status = os.waitpid(pid, 0)
            told.seek(0)
            return Ran(os.waitstatus_to_exitcode(status), told.read().decode(errors="replace"))

    def find_project(self, cluster: Cluster) -> Project:
        """The cluster's one project."""
        found = [project for project in self.client.projects.list() if project.name == cluster.project]
        assert len(found) == 1, f"{len(found)} projects are called {cluster.project}"
        return found[0]

    def applications(self, cluster: Cluster) -> list[Application]:
        """Every application of the cluster's project, by name."""
        found = self.client.applications.list(self.find_project(cluster).id)
        return sorted(found, key=lambda application: application.name)

    def remove(self, cluster: Cluster) -> None:
        """Take all of the cluster's projects away, with whatever is in them."""
        for project in self.client.projects.list():
            if project.name == cluster.project:
                self.client.projects.delete(project.id)

    def check_up(self, cluster: Cluster, spec: ClusterSpec) -> None:
        """Exactly the nodes of ``spec``, each once, each running with what ``spec`` gives it, and nothing besides."""
        project = self.find_project(cluster)
        groups = dict(spec.members())
        wanted = {names.application_name(CLUSTER, node): node for node in groups}
        applications = self.applications(cluster)
        assert [application.name for application in applications] == sorted(wanted)
        assert {application.status for application in applications} <= {"APPLICATION_RUNNING"}
        inside = self._members(project.id)
        for application in applications:
            node = wanted[application.name]
            member = inside.get(node, {"state": "missing"})
            assert member["state"] == "ALIVE", f"{node} is lost: {member}"
            runs_with = (member["cpu"], member["settings_cpu"], member["fingerprint"])
            cpu, mark = groups[node].cpu, application.environment["CAI_DEPLOY_FINGERPRINT"]
            assert runs_with == (cpu, cpu, mark), f"{node} runs with what it was started with before: {member}"
            assert application.cpu == cpu
        self._check_nothing_besides(project.id)

    def check_down(self, cluster: Cluster) -> None:
        """Nothing is left of the cluster but its project, the code and the environment."""
        project = self.find_project(cluster)
        for launcher in (layout.head_launcher_file(CLUSTER), layout.worker_launcher_file(CLUSTER)):
            assert not self.client.files.exists(project.id, launcher), f"{launcher} is left behind"
        assert self.applications(cluster) == []
        assert not self.client.files.exists(project.id, layout.cluster_dir(CLUSTER)), "the cluster left files behind"
        self._check_nothing_besides(project.id)

    def _members(self, project_id: str) -> dict[str, dict[str, Any]]:
        def ask() -> dict[str, Any] | None:
            try:
                return self._door.get_json(names.subdomain(CLUSTER, HEAD, project_id), "/cai-deploy/nodes")
            except ApplicationNotAnswering:
                return None

        return {member["name"]: member for member in eventually(ask)["nodes"]}

    def _check_nothing_besides(self, project_id: str) -> None:
        """No object twice, no file under another name, no pod without an application."""
        jobs = self.client.jobs.list(project_id)
        runs = [run.arguments for job in jobs for run in self.client.jobs.list_runs(project_id, job.id)]
        for each in ([job.name for job in jobs], runs):
            assert set(Counter(each).values()) <= {1}, f"twice: {each}"
        ours = {layout.head_launcher_file(CLUSTER), layout.worker_launcher_file(CLUSTER), layout.STATE_DIR, ".git"}
        committed = {path.name for path in REPOSITORY.iterdir()}
        root = {entry.path for entry in self.client.files.list(project_id)}
        assert root <= ours | committed, f"unknown files: {sorted(root - ours - committed)}"
        doubles = [path for path in self._files(project_id, layout.CLUSTERS_DIR) if DUPLICATE.search(path)]
        assert not doubles, f"files that were uploaded twice: {doubles}"
        status = self.workspace.status()
        assert status["pods_running"] == status["applications_active"] + status["job_runs_running"]

    def _files(self, project_id: str, directory: str) -> Iterator[str]:
        try:
            entries = self.client.files.list(project_id, directory)
        except NotFound:
            return
        for entry in entries:
            path = f"{directory}/{entry.path}"
            yield path
            if entry.is_dir:
                yield from self._files(project_id, path)


def make_repository(checkout: Path) -> Path:
    """A repository with the stand-in scripts, committed."""
    shutil.copytree(REPOSITORY, checkout, ignore=shutil.ignore_patterns("__pycache__"))
    person = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], [*person, "commit", "-qm", "a cluster of scripts"]):
        subprocess.run(["git", "-C", str(checkout), *arguments], check=True)
    return checkout


def _become_a_command(
    told: int, directory: Path, env: dict[str, str], arguments: tuple[str, ...], transport: Callable[..., Transport]
) -> None:
    """From here on this process is the command line, and ends as one. It must never return into the test."""
    status = 70
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LONGEST_COMMAND)
        os.dup2(told, 1)
        os.dup2(told, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = ["cai_deploy", *arguments]
        command.run(transport)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever it was, it ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
