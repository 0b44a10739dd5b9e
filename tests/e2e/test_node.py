"""A head and two workers as plain processes on loopback addresses, through the launchers, with real Ray."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from cai_deploy import connection, layout
from cai_deploy.inline import inline_command
from cai_deploy.node_settings import NodeSettings, Role
from cai_deploy.render import render_launcher
from tests.free_ports import free_port
from tests.polling import last_look

REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.e2e


def marked(mark: str) -> list[str]:
    """The command lines of all living processes that inherited ``mark``."""
    found = []
    for directory in Path("/proc").iterdir():
        try:
            if directory.name.isdigit() and mark.encode() in (directory / "environ").read_bytes():
                found.append((directory / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def until(what: str, check: Callable[[], Any], deadline: float = 60.0) -> Any:
    answer = last_look(check, deadline, 0.1)
    assert answer, f"not in {deadline:.0f} s: {what}"
    return answer


class Cluster:
    """A project directory with launchers, and the nodes that were started in it."""

    def __init__(self, root: Path, environment: Path) -> None:
        self.root = root
        self.python = environment / "bin" / "python"
        self.mark = f"CAI_TEST_MARK={root.name}"
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.port: dict[str, int] = {}
        environments = root / layout.ENVIRONMENTS_DIR
        environments.mkdir(parents=True)
        (environments / "ray-test").symlink_to(environment)
        (root / "cai_deploy").symlink_to(REPOSITORY / "cai_deploy")

    def start(self, node: str, role: Role, address: str) -> None:
        environ = self.environ(node, address)
        launcher = render_launcher(self.settings(node, role), f"{role}.py")
        # A borrowed environment has no ready mark of ours, and must not be given one.
        text = launcher.text.replace(layout.environment_ready_file("ray-test"), f"{layout.STATE_DIR}/ready.json")
        (self.root / layout.STATE_DIR / "ready.json").write_text("{}")
        (self.root / launcher.path).write_text(text)
        self.nodes[node] = subprocess.Popen([sys.executable, launcher.path], cwd=self.root, env=environ)

    def start_inline(self, node: str, role: Role, address: str, ports: dict[str, int]) -> None:
        command = inline_command(replace(self.settings(node, role), ports=ports), node=node)
        self.nodes[node] = subprocess.Popen(
            ["/bin/sh", "-c", command], cwd=self.root, env=self.environ(node, address), start_new_session=True
        )

    def settings(self, node: str, role: Role) -> NodeSettings:
        return NodeSettings(
            cluster="ray",
            role=role,
            group=node.partition("-")[0],
            environment="ray-test",
            ray_version="2.60.0",
            cpu=1,
            memory_gb=1,
            ports={"gcs": free_port(), "dashboard": free_port(), "client": free_port(), "serve": free_port()},
            join_timeout=60,
            stop_timeout=8,
        )

    def environ(self, node: str, address: str) -> dict[str, str]:
        self.port[node] = free_port()
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "CDSW_IP_ADDRESS": address,
            "CDSW_APP_PORT": str(self.port[node]),
            "CAI_DEPLOY_NODE": node,
            "CDSW_APIV2_KEY": "platform-secret",
            "CAI_TEST_MARK": self.root.name,
        }

    @property
    def token_path(self) -> Path:
        return self.root / layout.token_file("ray")

    def get(self, node: str, path: str) -> Any:
        try:
            headers = {"X-Ray-Authorization": f"Bearer {self.token_path.read_text()}"}
            answer = requests.get(f"http://127.0.0.1:{self.port[node]}{path}", headers=headers, timeout=5)
            return answer.json() if answer.ok else None
        except OSError:
            return None

    def processes(self, word: str) -> list[int]:
        """The processes of this cluster with ``word`` in their command line, ``ray start`` left out."""
        found = []
        for directory in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                command = (directory / "cmdline").read_bytes()
                ours = directory.name.isdigit() and self.mark.encode() in (directory / "environ").read_bytes()
                if ours and word.encode() in command and b"ray.scripts" not in command:
                    found.append(int(directory.name))
        return sorted(found)

    def states(self) -> dict[str, str]:
        answer = self.get("head", "/cai-deploy/nodes") or {"nodes": []}
        return {node["name"]: node["state"] for node in answer["nodes"]}

    def stop(self, *nodes: str) -> None:
        """End ``nodes`` at once, or all that there are."""
        processes = [self.nodes[node] for node in nodes or self.nodes]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=60)


@pytest.fixture
def cluster(ray_environment: Path) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="cai-node-", dir="/tmp") as root:
        cluster = Cluster(Path(root), ray_environment)
        try:
            yield cluster
        finally:
            cluster.stop()


def test_three_nodes_come_up_answer_and_leave_nothing(cluster: Cluster) -> None:
    before = set(Path(tempfile.gettempdir()).iterdir())
    started = time.monotonic()
    cluster.start("head", "head", "127.77.0.1")
    cluster.start("worker-0", "worker", "127.77.0.2")
    cluster.start("worker-1", "worker", "127.77.0.3")
    three = {"head": "ALIVE", "worker-0": "ALIVE", "worker-1": "ALIVE"}
    until("three nodes ALIVE", lambda: cluster.states() == three)
    print(f"three nodes ALIVE after {time.monotonic() - started:.1f} s")
    version = until("the dashboard through the gateway", lambda: cluster.get("head", "/api/version"))
    print(f"dashboard after {time.monotonic() - started:.1f} s")
    assert version["ray_version"] == "2.60.0"
    assert cluster.get("worker-0", "/")["node"] == "worker-0"

    info = connection.load(cluster.root / layout.connection_file("ray"))
    assert info is not None
    assert info.epoch == 1
    script = (
        "import os, ray; ray.init(address=os.environ['A'], log_to_driver=False); "
        "home = ray.remote(lambda: os.environ['HOME']); print('home', ray.get(home.remote()))"
    )
    driver = subprocess.run(
        [cluster.python, "-c", script],
        env={
            "PATH": os.environ["PATH"],
            "A": info.gcs_address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(cluster.token_path),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"home {cluster.root}" in driver.stdout, "tasks have the home of the person, not of Ray's services"
    assert not (cluster.root / "ray_bootstrap_config.yaml").exists()

    began = time.monotonic()
    cluster.stop()
    print(f"stopped in {time.monotonic() - began:.1f} s")
    assert {node: process.returncode for node, process in cluster.nodes.items()} == dict.fromkeys(cluster.nodes, 0)
    assert not marked(cluster.mark)
    left = {path.name.split("-")[0] for path in set(Path(tempfile.gettempdir()).iterdir()) - before}
    assert not left & {"ray", "pymp"}
    for node in cluster.nodes:
        assert "platform-secret" not in (cluster.root / layout.node_log_file("ray", node)).read_text()


def test_a_head_that_comes_back_raises_the_epoch(cluster: Cluster) -> None:
    for epoch in (1, 2):
        cluster.start("head", "head", "127.77.0.1")
        until("the head ALIVE", lambda: "ALIVE" in cluster.states().values())
        info = connection.load(cluster.root / layout.connection_file("ray"))
        assert info is not None
        assert info.epoch == epoch
        cluster.stop()


def test_a_head_whose_gcs_dies_starts_ray_again_and_keeps_its_worker(cluster: Cluster) -> None:
    cluster.start("head", "head", "127.77.0.1")
    cluster.start("worker-0", "worker", "127.77.0.2")
    both = {"head": "ALIVE", "worker-0": "ALIVE"}
    until("two nodes ALIVE", lambda: cluster.states() == both)
    raylet, gcs = cluster.processes("--node-name=worker-0"), cluster.processes("gcs_server")
    began = time.monotonic()
    os.kill(gcs[0], signal.SIGKILL)
    until("another GCS", lambda: cluster.processes("gcs_server") not in (gcs, []))
    until("two nodes ALIVE again", lambda: cluster.states() == both)
    print(f"two nodes ALIVE {time.monotonic() - began:.1f} s after the GCS was killed")
    assert cluster.processes("--node-name=worker-0") == raylet
    info = connection.load(cluster.root / layout.connection_file("ray"))
    assert info is not None
    assert info.epoch == 1, "it is the same head at the same address"
    assert "Ray ended" in (cluster.root / layout.node_log_file("ray", "head")).read_text()
    cluster.stop()
    assert not marked(cluster.mark)


def test_inline_commands_make_a_cluster_too(cluster: Cluster) -> None:
    ports = {"gcs": free_port(), "client": free_port()}
    before = set(Path("/tmp").glob("ray-*"))
    cluster.start_inline("worker-0", "worker", "127.77.0.2", ports)
    cluster.start_inline("head", "head", "127.77.0.1", ports)

    def states() -> dict[str, str]:
        answer = cluster.get("head", "/api/v0/nodes?detail=1")
        nodes = answer["data"]["result"]["result"] if answer else []
        return {node["node_name"]: node["state"] for node in nodes}

    until("two nodes ALIVE", lambda: states() == {"head": "ALIVE", "worker-0": "ALIVE"})
    info = connection.load(cluster.root / layout.connection_file("ray"))
    assert info is not None
    assert info.gcs_address == f"127.77.0.1:{ports['gcs']}"
    # The platform's readiness probe: Ray's dashboard agent answers on the loopback address too.
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.port['worker-0']}/api/healthz", timeout=5) as answer:
        assert answer.status == 200
    # In the order of `down`. Without an agent nobody shortens what Ray's worker waits for a head that ends with it:
    # 30 s to drain itself, and 30 s more if it was still being told of its own start.
    cluster.stop("worker-0")
    cluster.stop("head")
    until("no process is left", lambda: not marked(cluster.mark))
    for directory in set(Path("/tmp").glob("ray-*")) - before:  # in a pod they go away with the pod
        shutil.rmtree(directory, ignore_errors=True)
