"""Many applications of a trivial script: created, listed and deleted, with the server's memory before and after."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from cai_deploy.local_workspace import process
from tests.benchmarks.conftest import Record, Size
from tests.benchmarks.rows import at_most, count

CALLERS = 4
GROWTH_ALLOWED_MB = 10.0

pytestmark = pytest.mark.short


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[process.Endpoint]:
    monkeypatch.setenv("CAI_DEPLOY_HOME", str(tmp_path))
    monkeypatch.setenv("CAI_DEPLOY_POD_MODE", "loopback")
    yield process.start()
    process.stop()


class Caller:
    def __init__(self, endpoint: process.Endpoint) -> None:
        self.base = f"{endpoint.host}/api/v2"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {endpoint.api_key}"

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        response = self.session.request(method, f"{self.base}/{path}", json=body, timeout=120)
        response.raise_for_status()
        return response.json()


def server_mb(endpoint: process.Endpoint) -> float:
    status = Path(f"/proc/{endpoint.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def server_cpu(endpoint: process.Endpoint) -> float:
    fields = Path(f"/proc/{endpoint.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    print(f"{what:<28} {seconds:7.2f} s   {seconds / count * 1000:7.2f} ms each")


def test_many_applications(endpoint: process.Endpoint, record: Record, size: Size) -> None:
    many = size.of(500, 40)
    caller = Caller(endpoint)
    project = caller("POST", "projects", {"name": "many"})["id"]
    runtime = caller("GET", "runtimes")["runtimes"][0]["image_identifier"]
    applications = f"projects/{project}/applications"

    def create(number: int) -> str:
        body = {"name": f"n{number}", "subdomain": f"n{number}", "script": "exec sleep 1000"}
        return str(caller("POST", applications, {**body, "runtime_identifier": runtime})["id"])

    def delete(identifier: str) -> None:
        caller("DELETE", f"{applications}/{identifier}")

    def pods() -> int:
        url = f"{endpoint.host}/local/v1/status"
        return int(caller.session.get(url, timeout=60).json()["pods_running"])

    print(f"\nserver at the start          {server_mb(endpoint):7.1f} MB")
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(delete, list(pool.map(create, range(many)))))
        before = server_mb(endpoint)
        print(f"server after a first round    {before:7.1f} MB")
        with timed("create", many):
            made = list(pool.map(create, range(many)))
        with timed("until all pods run", many):
            while pods() < many:
                time.sleep(0.1)
        print(f"server with {many} applications {server_mb(endpoint):7.1f} MB")
        cpu, began = server_cpu(endpoint), time.monotonic()
        time.sleep(size.of(5, 1))
        share = (server_cpu(endpoint) - cpu) / (time.monotonic() - began)
        print(f"server's CPU while it waits  {share:7.0%}   ({many} ports are asked whether they answer)")
        with timed("list, one page of all", 1):
            assert len(caller("GET", f"{applications}?page_size=1000")["applications"]) == many
        with timed("list, page by page", many // 10):
            token, seen = "", 0
            while True:
                page = caller("GET", f"{applications}?page_token={token}")
                seen += len(page["applications"])
                if not (token := page["next_page_token"]):
                    break
            assert seen == many
        with timed("look at one", 1):
            caller("GET", f"{applications}/{made[0]}")
        with timed("delete", many):
            list(pool.map(delete, made))
    after = server_mb(endpoint)
    print(f"server at the end            {after:7.1f} MB")
    assert caller("GET", applications)["applications"] == []
    assert pods() == 0
    grown = count(f"MB that the local workspace grows by with {many} applications that come and go", after - before)
    record(grown.toward(at_most(GROWTH_ALLOWED_MB)))
    assert after - before < GROWTH_ALLOWED_MB
