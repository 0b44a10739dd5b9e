"""What the local workspace bears: requests a second and the slowest of them, its start, its memory.

Beside it stands a bare server of the same framework with an empty handler, asked the same by the same clients in the
same turn. Applications have no pods here, so that it is the workspace that is measured.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cai_deploy.api.client import Client
from cai_deploy.api.schemas import CreateProjectRequest
from cai_deploy.api.transport import Transport
from cai_deploy.testing import LocalWorkspace, local_workspace
from tests.benchmarks import load
from tests.benchmarks.conftest import Record, Size
from tests.benchmarks.load import Load
from tests.benchmarks.rows import at_most, count, ratio
from tests.polling import eventually

pytestmark = pytest.mark.short

LISTED = 100
"""Applications that are there, and on the page that is asked for."""

REPOSITORY = Path(__file__).parents[2]
SECONDS_TO_FIRST_ANSWER = 0.5


@dataclass
class Bench:
    """A workspace with a project of ``LISTED`` applications, and the requests that are sent to it."""

    workspace: LocalWorkspace
    client: Client
    project: str
    runtime: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def port(self) -> int:
        return urlsplit(self.workspace.host).port or 0

    def requests(self, kind: str, many: int) -> list[bytes]:
        key, path = self.workspace.api_key, f"/api/v2/projects/{self.project}/applications"
        if kind == "list":
            return [load.request("GET", f"{path}?page_size={LISTED}", key)] * many
        one = self.client.applications.list(self.project)[0].id
        return [load.request("GET", f"{path}/{one}", key)] * many

    @contextlib.contextmanager
    def creations(self, many: int) -> Iterator[list[bytes]]:
        """Requests for new applications, in a project of their own that is gone afterwards."""
        project = self.client.projects.create(CreateProjectRequest(name="creations", template="blank")).id
        yield self.creations_in(project, many)
        assert len(self.client.applications.list(project)) == many
        self.client.projects.delete(project)

    def creations_in(self, project: str, many: int) -> list[bytes]:
        names = [f"n{next(self.numbers)}" for _ in range(many)]
        common = {"script": "true", "runtime_identifier": self.runtime}
        path, key = f"/api/v2/projects/{project}/applications", self.workspace.api_key
        return [load.request("POST", path, key, {"name": name, "subdomain": name, **common}) for name in names]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with local_workspace() as workspace:
        client = Client(Transport(workspace.host, workspace.api_key))
        project = client.projects.create(CreateProjectRequest(name="load", template="blank")).id
        workspace.faults.add("no_pod")
        at = Bench(workspace, client, project, next(iter(client.runtimes.list())).image_identifier)
        load.send_all(at.port, at.creations_in(project, LISTED), 1)
        yield at


@dataclass(frozen=True)
class Bare:
    """The bare server."""

    port: int
    pid: int


@contextlib.contextmanager
def bare_server() -> Iterator[Bare]:
    """One from its first answer on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    server = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.bare_server", str(port)], cwd=REPOSITORY)
    try:
        eventually(lambda: _answers(port))
        yield Bare(port, server.pid)
    finally:
        server.terminate()
        server.wait(30)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        return bool(load.send_all(port, [load.request("GET", "/", "none")], 1).each)
    return False


@pytest.fixture(scope="module")
def bare() -> Iterator[Bare]:
    with bare_server() as server:
        yield server


@pytest.mark.parametrize("kind", ["get", "list"])
def test_reads_of_several_clients(bench: Bench, bare: Bare, record: Record, size: Size, kind: str) -> None:
    requests = bench.requests(kind, size.of(1000, 100))
    for clients in _clients(size):
        ours, theirs = [], []
        for _ in range(size.rounds):
            theirs.append(load.send_all(bare.port, requests, clients))
            ours.append(load.send_all(bench.port, requests, clients))
        what = "get of an application" if kind == "get" else f"list of {LISTED} applications"
        _record(record, f"{what}, {_told(clients)}", ours, theirs)


def test_creates_of_several_clients(bench: Bench, bare: Bare, record: Record, size: Size) -> None:
    for clients in _clients(size):
        ours, theirs = [], []
        for _ in range(size.rounds):
            with bench.creations(size.of(300, 100)) as requests:
                theirs.append(load.send_all(bare.port, requests, clients))
                ours.append(load.send_all(bench.port, requests, clients))
        _record(record, f"create of an application, {_told(clients)}", ours, theirs)


def _clients(size: Size) -> tuple[int, ...]:
    return (1, 10) if size.short else (1, 10, 50)


def _told(clients: int) -> str:
    return "1 client" if clients == 1 else f"{clients} clients"


def _record(record: Record, what: str, ours: Sequence[Load], theirs: Sequence[Load]) -> None:
    """Both figures. Every answer was a good one, or there would be no load to tell of."""
    beside = "an empty handler"
    pace = ratio(
        f"requests a second, {what}",
        [each.per_second for each in ours],
        beside,
        [each.per_second for each in theirs],
        unit="/s",
    )
    slowest = ratio(
        f"99th percentile, {what}", [each.p99_ms for each in ours], beside, [each.p99_ms for each in theirs], unit="ms"
    )
    record(pace)
    record(slowest)


def test_start_and_memory(record: Record, size: Size) -> None:
    theirs, ours = [], []
    for _ in range(size.rounds):
        began = time.perf_counter()
        with bare_server() as server:
            theirs.append(Started.since(began, server.pid))
        began = time.perf_counter()
        with local_workspace() as workspace:
            ours.append(Started.since(began, json.loads((workspace.home / "workspace.json").read_text())["pid"]))
            assert workspace.status()["projects"] == 0
    what = "from the start of a local workspace to its first answer"
    seconds = count(f"seconds {what}", *(each.seconds for each in ours))
    record(seconds.toward(at_most(SECONDS_TO_FIRST_ANSWER), "most of it are imports"))
    record(ratio(f"CPU {what}", [each.cpu for each in ours], "of a bare server", [each.cpu for each in theirs]))
    record(count("MB of a local workspace that has just started", *(each.megabytes for each in ours)))


@dataclass(frozen=True)
class Started:
    """What a server has taken up to its first answer."""

    seconds: float
    cpu: float
    megabytes: float

    @classmethod
    def since(cls, began: float, pid: int) -> Started:
        seconds, proc = time.perf_counter() - began, Path(f"/proc/{pid}")
        fields = (proc / "stat").read_text().rpartition(")")[2].split()
        resident = int(re.findall(r"VmRSS:\s+(\d+)", (proc / "status").read_text())[0])
        return cls(seconds, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), resident / 1024)
