"""A cluster with real Ray in real pods, and the hands that strike it from outside: by signals, cables and files.

The pods' processes are processes of this machine, so they are found in its table and killed like any others. It knows
what a node is made of, and nothing of what a test expects of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from cai_deploy import layout
from cai_deploy.api.schemas import Application
from cai_deploy.testing.admin import Admin
from cai_deploy.testing.faults import Faults
from tests.e2e.conftest import Shell, poll
from tests.e2e.jobs import client_of, exported

WHOLE = ["head", "worker-0", "worker-1"]
AGENT = b"cai_deploy.node"
SOON = 0.5
LONG_WAIT = 120.0
TIMEOUT = 5.0


class RealCluster:
    """One head and two workers."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        shell.ok("launch", "--workers", "2")
        exports = exported(shell)
        self._key = exports["CML_API_KEY"]
        self.client, self.project = client_of(shell)
        self.admin = Admin(exports["CML_HOST"], self._key)
        self.faults = Faults(self.admin)
        self.restarts_after(SOON)
        host = urlsplit(shell.status()["connection"]["dashboard_url"])
        self._port = host.port
        self._host = host.netloc

    def restarts_after(self, seconds: float) -> None:
        """When the platform starts a failed application again. The real one takes 300 s."""
        self.admin.ask("PATCH", "settings", {"restart_pause": seconds})

    def at(self, subdomain: str) -> None:
        """Ask the application at ``subdomain`` from now on."""
        self._host = f"{subdomain}.{self._host.partition('.')[2]}"

    # What it is asked, from outside.

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Host": self._host, "Authorization": f"Bearer {self._key}"}
        return headers | ({"X-Ray-Authorization": f"Bearer {self.token}"} if self.token else {})

    @cached_property
    def token(self) -> str:
        """Ray's token, "" for a cluster without one."""
        file = f"{layout.cluster_dir('ray')}/token"
        return (self.client.files.read_text(self.project.id, file) or "").strip()

    def ask(
        self,
        method: str,
        path: str,
        *,
        showing: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        **how: Any,
    ) -> requests.Response:
        """The head's answer through its application; ``showing`` are other headers than the right ones."""
        url = f"http://127.0.0.1:{self._port}{path}"
        return requests.request(method, url, headers=showing or self.headers, timeout=timeout, **how)

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes that the head, if there is one, lists: DEAD ones too."""
        with contextlib.suppress(requests.RequestException, ValueError, KeyError):
            return list(self.ask("GET", "/cai-deploy/nodes").json()["nodes"])
        return []

    def alive(self) -> list[str]:
        return sorted(node["name"] for node in self.nodes() if node["state"] == "ALIVE")

    def dead(self, name: str) -> int:
        """How many starts of the node are over."""
        return sum(node["state"] == "DEAD" for node in self.nodes() if node["name"] == name)

    def wait_until_whole(self, deadline: float = LONG_WAIT) -> None:
        poll("three nodes ALIVE", lambda: self.alive() == WHOLE, deadline)

    def connection(self) -> dict[str, Any]:
        return dict(json.loads(self.connection_file.read_text()))

    def journal(self, node: str) -> str:
        """What the node's agent, and Ray below it, have written since the cluster was made."""
        return self.client.files.read_text(self.project.id, layout.node_log_file("ray", node)) or ""

    def application(self, node: str) -> Application:
        found = self.client.applications.find(self.project.id, f"ray-{node}")
        assert found, f"no application for {node}"
        return found

    def start_job(self, entrypoint: str, **fields: Any) -> str:
        """Its id. A head that has come back lists its nodes some seconds before its dashboard takes jobs."""
        fields = {"entrypoint": entrypoint, **fields}
        return str(self._told_by_the_dashboard("POST", "/api/jobs/", json=fields)["submission_id"])

    def job(self, job: str) -> dict[str, Any]:
        return self._told_by_the_dashboard("GET", f"/api/jobs/{job}")

    def _told_by_the_dashboard(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        """Its answer, once it is up."""
        answers: list[requests.Response] = []

        def answered() -> bool:
            answers.append(self.ask(method, path, timeout=60, **how))
            return answers[-1].status_code < HTTPStatus.INTERNAL_SERVER_ERROR

        poll("the dashboard answers", answered, LONG_WAIT)
        assert answers[-1].ok, answers[-1].text
        return dict(answers[-1].json())

    def job_log(self, job: str) -> str:
        return str(self._told_by_the_dashboard("GET", f"/api/jobs/{job}/logs")["logs"])

    def end_of_job(self, job: str, deadline: float = LONG_WAIT) -> str:
        """What it printed; it must succeed."""
        log = self.log_at_end(job, deadline)
        assert self.job(job)["status"] == "SUCCEEDED", log
        return log

    def log_at_end(self, job: str, deadline: float = LONG_WAIT) -> str:
        """What it printed, however it ended."""
        poll("the job has ended", lambda: self.job(job)["status"] in ("SUCCEEDED", "FAILED"), deadline)
        return self.job_log(job)

    def run_python(self, code: str) -> str:
        return self.end_of_job(self.start_job(shlex.join(["python", "-c", code])))

    # Where it stands, on this machine.

    @property
    def walled(self) -> bool:
        """Whether each pod has processes and a network of its own."""
        return walls_of(self.agent("head")) != walls_of("self")

    @cached_property
    def directory(self) -> Path:
        return self.shell.home / "workspace" / "projects" / self.project.id

    @property
    def connection_file(self) -> Path:
        return self.directory / layout.connection_file("ray")

    def agent(self, node: str) -> int:
        """The process id of the node's agent; 0 while there is none."""
        for pid in self.shell.processes():
            with contextlib.suppress(OSError):
                directory = Path(f"/proc/{pid}")
                words = (directory / "cmdline").read_bytes().split(b"\0")
                of_node = f"CAI_DEPLOY_NODE={node}".encode() in (directory / "environ").read_bytes().split(b"\0")
                if AGENT in words and of_node:
                    return pid
        return 0

    def raylet(self, node: str) -> int:
        """The process id of the node's raylet; 0 while there is none."""
        below = descendants(self.agent(node))
        return next((pid for pid in below if name_of(pid) == "raylet"), 0)

    def raylets(self) -> dict[str, int]:
        return {node: self.raylet(node) for node in WHOLE if node != "head"}

    def address(self, node: str) -> str:
        return next(each["address"] for each in self.nodes() if each["name"] == node and each["state"] == "ALIVE")

    def inside(self, node: str, *argv: str) -> str:
        """Run a program of this machine inside the node's pod."""
        done = subprocess.run(
            [*self._enter(node), *argv], capture_output=True, text=True, timeout=60, check=False, env=os.environ
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def beside(self, node: str, *argv: str) -> subprocess.Popen[str]:
        """Start a program of this machine inside the node's pod."""
        return subprocess.Popen(
            [*self._enter(node), *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _enter(self, node: str) -> list[str]:
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", f"--target={self.agent(node)}", *user, "--net", "--mount", "--pid", "--uts", "--"]

    # How it is struck.

    def kill_ray(self, node: str) -> None:
        """SIGKILL to every process below the node's agent: Ray is gone, the pod stays with its address."""
        agent = self.agent(node)
        assert agent, f"{node} has no agent"
        for pid in descendants(agent):
            kill(pid)

    def kill_pod(self, node: str) -> None:
        """SIGKILL to the first process of the pod, which takes all others along; it comes back at another address."""
        walls = walls_of(self.agent(node))
        for directory in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if directory.name.isdigit() and walls_of(directory.name) == walls:
                    told = (directory / "status").read_text().splitlines()
                    ids = next(line for line in told if line.startswith("NSpid:")).split()
                    if ids[-1] == "1":
                        kill(int(directory.name))
                        return
        raise AssertionError(f"the pod of {node} has no first process")


def walls_of(pid: int | str) -> str:
    """What processes of one pod share and others do not."""
    return str(Path(f"/proc/{pid}/ns/pid").readlink())


def descendants(pid: int) -> list[int]:
    """Living processes below ``pid``, the nearest first."""
    parents: dict[int, int] = {}
    for directory in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state, parent = (directory / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(directory.name)] = int(parent)
    found, near = list[int](), {pid} - {0}
    while near:
        near = {child for child, parent in parents.items() if parent in near}
        found += sorted(near)
    return found


def name_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def seconds_until(what: str, check: Callable[[], object], deadline: float = LONG_WAIT) -> float:
    """How long it took until ``check`` was true."""
    began = time.monotonic()
    poll(what, check, deadline)
    return time.monotonic() - began
