"""What keeps a worker out is named within seconds, with real Ray; and a pod with little shared memory works."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.node_settings import NodeSettings, Role
from cai_deploy.testing.admin import Admin
from cai_deploy.testing.faults import Faults
from tests.e2e import black_hole
from tests.e2e.conftest import Shell, people, poll
from tests.e2e.jobs import client_of, exported
from tests.e2e.test_drain import Door
from tests.e2e.test_node import Cluster, until
from tests.free_ports import free_ports

pytestmark = pytest.mark.e2e

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a cable of the pods' network is changed")

LARGER_THAN_SHARED_MEMORY = """
import ray
ray.init('auto')

@ray.remote(num_cpus=0, scheduling_strategy='SPREAD')
def size(data):
    return len(data)

data = ray.put(bytes(100 * 1024 * 1024))
print('SIZES', ray.get([size.remote(data) for _ in range(4)]))
"""


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    """A head and a worker whose pods have 64 MB of shared memory, as on a platform where nobody asked for more."""
    with people() as person:
        shell = person()
        shell.ok("workspace", "start")
        shell.needs_walls()
        exports = exported(shell)
        Faults(Admin(exports["CML_HOST"], exports["CML_API_KEY"])).add("small_shm")
        shell.ok("launch", "--workers", "1")
        yield shell


@pytest.mark.slow
def test_little_shared_memory_costs_speed_and_no_node(shell: Shell) -> None:
    assert "SIZES [104857600, 104857600, 104857600, 104857600]" in Door(shell).run_job(LARGER_THAN_SHARED_MEMORY)
    for node in ("head", "worker-0"):
        written = shell.ok("logs", node).stdout
        assert re.search(
            r"/dev/shm has 6\d MB free, the object store wants 614 MB: it lies on disk with 614 MB", written
        )
        assert "raise the project's shared memory limit to at least 683 MB" in written
    found = shell.ok("explain", "--json").json()["findings"]
    assert [finding["cause"] for finding in found] == [
        "shared memory is too small for the object store, which lies on disk now or is smaller than it was to be"
    ]


@pytest.mark.slow
def test_what_ray_wrote_outlives_it(shell: Shell) -> None:
    raylet = next(pid for pid in black_hole.processes_of(shell, "--node-name=worker-0") if is_raylet(pid))
    client, project = client_of(shell)
    ended = layout.ended_ray_log_file("ray", "worker-0")
    assert client.files.read_text(project.id, ended) is None
    os.kill(raylet, signal.SIGKILL)
    poll("what Ray wrote is kept", lambda: client.files.read_text(project.id, ended))
    kept = shell.ok("logs", "worker-0", "--ray", "--tail", "4000").stdout
    assert "--- raylet.out\n" in kept
    assert "NodeManager server started" in kept
    sources = {each["source"] for each in shell.ok("explain", "--json").json()["exhibits"]}
    assert "Ray's logs of worker-0, before it ended" in sources
    poll("the worker is back", lambda: Door(shell).nodes().get("worker-0", ("",))[0] == "ALIVE")
    poll("what Ray writes is kept while it runs", lambda: running_log(shell), deadline=60)


def is_raylet(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text().strip() == "raylet"


def running_log(shell: Shell) -> str | None:
    client, project = client_of(shell)
    return client.files.read_text(project.id, layout.ray_log_file("ray", "worker-0"))


@needs_root
@pytest.mark.slow
def test_a_mesh_that_accepts_and_drops_is_named(shell: Shell) -> None:
    with black_hole.before_the_head(shell):
        began = time.monotonic()
        failed = shell.run("launch", "--workers", "2")
        print(f"a mesh was named {time.monotonic() - began:.1f} s after `launch` began")
        assert failed.status == 1
        assert "accepts connections, but no bytes come through" in failed.stderr
        explained = shell.ok("explain").stdout
        assert "a service mesh" in explained
        assert "doctor --mesh-manifest" in explained
    shell.ok("launch", "--workers", "2")


class Mixed(Cluster):
    """Nodes as plain processes, whose settings a test may change one by one."""

    changes: dict[str, dict[str, object]]

    def settings(self, node: str, role: Role) -> NodeSettings:
        return replace(super().settings(node, role), **self.changes.get(node, {}))  # type: ignore[arg-type]

    def log(self, node: str) -> str:
        file = self.root / layout.node_log_file("ray", node)
        return file.read_text() if file.exists() else ""

    def ends(self, node: str, deadline: float = 30.0) -> str:
        """What the node has written when it has ended by itself."""
        until(f"{node} has ended", lambda: self.nodes[node].poll() is not None, deadline)
        assert self.nodes[node].returncode == 1
        return self.log(node)


@pytest.fixture
def cluster(ray_environment: Path) -> Iterator[Mixed]:
    with tempfile.TemporaryDirectory(prefix="cai-node-", dir="/tmp") as root:
        cluster = Mixed(Path(root), ray_environment)
        cluster.changes = {}
        try:
            cluster.start("head", "head", "127.78.0.1")
            until("the head is up", lambda: "the head is up" in cluster.log("head"))
            yield cluster
        finally:
            cluster.stop()


def test_another_version_of_ray_is_named(cluster: Mixed, tmp_path: Path) -> None:
    other = tmp_path / "other"
    uv = Path(sys.executable).with_name("uv")
    python = cluster.python.resolve()
    subprocess.run([uv, "venv", "--quiet", "--python", python, other], check=True)
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", other / "bin/python", "ray==2.59.0"]
    subprocess.run(install, check=True)
    (other / layout.READY_MARK).write_text("{}")
    (cluster.root / layout.environment_dir("ray-other")).symlink_to(other)
    cluster.changes["worker-0"] = {"environment": "ray-other", "stop_timeout": 1}
    began = time.monotonic()
    cluster.start("worker-0", "worker", "127.78.0.2")
    mismatch = "the head runs Ray 2.60.0 on Python"
    until("the mismatch is told", lambda: mismatch in cluster.log("worker-0"))
    told = time.monotonic() - began
    written = cluster.ends("worker-0")
    print(f"the mismatch was told after {told:.1f} s, the node ended after {time.monotonic() - began:.1f} s")
    assert f"error: {mismatch}" in written
    assert "this node Ray 2.59.0 on Python" in written
    assert "hint: give all groups the same runtime and environment" in written
    assert told < 10


def test_a_pinned_port_that_is_held_is_named_with_its_holder(cluster: Mixed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        cluster.changes["worker-0"] = {"ports": {"object_manager": port}, "pinned_ports": ["object_manager"]}
        began = time.monotonic()
        cluster.start("worker-0", "worker", "127.78.0.2")
        written = cluster.ends("worker-0")
    print(f"the node ended after {time.monotonic() - began:.1f} s")
    assert f"error: port {port} (object_manager) is held by another program: " in written
    assert f"(process {os.getpid()})" in written
    assert "ray: " not in written, "Ray was not started"


def test_a_node_with_every_port_pinned_joins_through_its_checks(cluster: Mixed) -> None:
    names = [
        "node_manager",
        "object_manager",
        "dashboard_agent",
        "dashboard_agent_grpc",
        "runtime_env_agent",
        "metrics",
    ]
    ports = dict(zip(names, free_ports(len(names)), strict=True)) | {"worker_min": 18900, "worker_max": 18920}
    cluster.changes["worker-0"] = {"ports": ports, "pinned_ports": list(ports)}
    cluster.start("worker-0", "worker", "127.78.0.2")
    until("the worker is ALIVE", lambda: cluster.states().get("worker-0") == "ALIVE")
    written = cluster.log("worker-0")
    assert "not checked" not in written
    assert "does not get through" not in written
