"""Settings -> the very command line of ``ray start``."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from cai_deploy.node.object_store import ObjectStore
from cai_deploy.node.ray import Start, arguments, environment
from cai_deploy.node_settings import NodeSettings

GB = 1024**3

HEAD = NodeSettings(
    cluster="ray",
    role="head",
    group="head",
    environment="ray-1",
    ray_version="2.60.0",
    cpu=2,
    memory_gb=4,
    ports={"gcs": 6379, "dashboard": 8265, "client": 10001, "serve": 8000},
)
STORE = int(4 * GB * 0.3)
START = Start("head", "10.0.0.2", Path("/tmp/ray-x"), ObjectStore(STORE), HEAD.ports)


def test_a_head() -> None:
    assert arguments(HEAD, START) == [
        "start",
        "--block",
        "--disable-usage-stats",
        "--log-color=false",
        "--node-ip-address=10.0.0.2",
        "--node-name=head",
        "--num-cpus=2",
        "--num-gpus=0",
        f"--memory={4 * GB - STORE}",
        f"--object-store-memory={STORE}",
        "--labels=cai-deploy/group=head,cai-deploy/node=head",
        "--temp-dir=/tmp/ray-x",
        "--dashboard-agent-listen-port=0",
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--head",
        "--port=6379",
        "--ray-client-server-port=10001",
        "--dashboard-host=127.0.0.1",
        "--dashboard-port=8265",
        "--no-monitor",
    ]


def test_a_worker_joins_and_opens_no_head_port() -> None:
    worker = replace(HEAD, role="worker", group="gpu", gpu=2, labels={"zone": "a"}, resources={"fpga": 1.0})
    words = arguments(worker, replace(START, node="gpu-0", gcs_address="10.0.0.9:6379"))
    assert words[-1] == "--address=10.0.0.9:6379"
    assert "--labels=cai-deploy/group=gpu,cai-deploy/node=gpu-0,zone=a" in words
    assert {"--num-gpus=2", '--resources={"fpga": 1.0}'} <= set(words)
    assert not {"--head", "--port=6379", "--dashboard-port=8265"} & set(words)


def test_every_port_that_is_given_is_pinned() -> None:
    ports = {
        "node_manager": 8076,
        "object_manager": 8077,
        "dashboard_agent": 1,
        "dashboard_agent_grpc": 2,
        "runtime_env_agent": 3,
        "metrics": 4,
        "worker_min": 11000,
        "worker_max": 11020,
    }
    words = arguments(replace(HEAD, role="worker"), replace(START, ports=ports, gcs_address="a:1"))
    assert {
        "--node-manager-port=8076",
        "--object-manager-port=8077",
        "--dashboard-agent-listen-port=1",
        "--dashboard-agent-grpc-port=2",
        "--runtime-env-agent-port=3",
        "--metrics-export-port=4",
        "--min-worker-port=11000",
        "--max-worker-port=11020",
    } <= set(words)


def test_a_store_on_disk_is_told_where() -> None:
    words = arguments(HEAD, replace(START, store=ObjectStore(GB, Path("/tmp/ray-x"))))
    assert {f"--object-store-memory={GB}", "--plasma-directory=/tmp/ray-x", f"--memory={3 * GB}"} <= set(words)


def test_the_environment_keeps_bytecode_and_asks_no_one_outside() -> None:
    inherited = {"PATH": "/bin", "PYTHONDONTWRITEBYTECODE": "1", "RAY_ADDRESS": "elsewhere", "MINE": "1"}
    variables = environment(HEAD, inherited, Path("/env/bin"))
    assert variables["PATH"] == "/env/bin:/bin"
    assert variables["MINE"] == "1"
    assert variables["RAY_USAGE_STATS_REPORT_URL"] == "http://127.0.0.1:9"
    assert not {"PYTHONDONTWRITEBYTECODE", "RAY_ADDRESS"} & set(variables)
    assert int(variables["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"]) < HEAD.stop_timeout


def test_who_waits_on_a_worker_asks_often_and_the_gcs_has_values_of_its_own() -> None:
    worker, inherited = replace(HEAD, role="worker"), {"RAY_grpc_client_keepalive_time_ms": "5000"}
    assert environment(worker, {}, Path("/env/bin"))["RAY_grpc_client_keepalive_time_ms"] == "20000"
    assert environment(HEAD, {}, Path("/env/bin"))["RAY_grpc_client_keepalive_timeout_ms"] == "8000"
    assert environment(worker, inherited, Path("/env/bin")).items() >= inherited.items(), "a person's own counts"


def test_a_node_without_a_path_finds_the_systems_programs_all_the_same() -> None:
    variables = environment(HEAD, {"HOME": "/nonexistent"}, Path("/env/bin"))
    assert shutil.which("bash", path=variables["PATH"])
    assert variables["PATH"].startswith("/env/bin:")
