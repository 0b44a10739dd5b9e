"""NodeSettings -> the arguments and environment of ``ray start``. Pure.

Every flag that could be guessed wrongly in a pod is given: Ray takes 127.0.0.1 for its address without a default route,
counts the machine's CPUs instead of the pod's, and sizes its object store by the machine's memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cai_deploy.node_settings import SMALLEST_OBJECT_STORE, NodeSettings

SHARED_MEMORY_SHARE = 0.9

PORT_FLAGS = {
    "node_manager": "--node-manager-port",
    "object_manager": "--object-manager-port",
    "dashboard_agent": "--dashboard-agent-listen-port",
    "dashboard_agent_grpc": "--dashboard-agent-grpc-port",
    "runtime_env_agent": "--runtime-env-agent-port",
    "metrics": "--metrics-export-port",
    "worker_min": "--min-worker-port",
    "worker_max": "--max-worker-port",
}
LEFT_TO_THE_SYSTEM = ("dashboard_agent", "worker_min", "worker_max")
"""Ray's defaults for these are fixed numbers, which clash when two nodes share one machine; 0 means any free one."""


@dataclass(frozen=True)
class Start:
    """What one start of Ray depends on besides the settings. Sizes in bytes."""

    node: str
    address: str
    temp_dir: Path
    shared_memory: int
    ports: Mapping[str, int]
    gcs_address: str = ""


def arguments(settings: NodeSettings, start: Start) -> list[str]:
    """The words after ``ray``. A head is told its ports, a worker the ``gcs_address`` to join."""
    memory = int(settings.memory_gb * 1024**3)
    store = object_store_bytes(settings, start.shared_memory)
    labels = {"cai-deploy/group": settings.group, "cai-deploy/node": start.node, **settings.labels}
    words = [
        *("start", "--block", "--disable-usage-stats", "--log-color=false"),
        f"--node-ip-address={start.address}",
        f"--node-name={start.node}",
        f"--num-cpus={int(settings.cpu)}",
        f"--num-gpus={settings.gpu}",
        f"--memory={max(memory - store, 0)}",
        f"--object-store-memory={store}",
        f"--labels={','.join(f'{name}={value}' for name, value in sorted(labels.items()))}",
        f"--temp-dir={start.temp_dir}",
    ]
    if settings.resources:
        words.append(f"--resources={json.dumps(settings.resources, sort_keys=True)}")
    words += _port_words(start.ports)
    if settings.role == "worker":
        return [*words, f"--address={start.gcs_address}"]
    return [
        *words,
        "--head",
        f"--port={start.ports['gcs']}",
        f"--ray-client-server-port={start.ports['client']}",
        # The gateway in front of it is in the same pod; nobody else needs to reach the bare dashboard.
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={start.ports['dashboard']}",
        # The monitor serves autoscaling, which the deployer does instead; without it a head starts sooner.
        "--no-monitor",
    ]


def environment(settings: NodeSettings, inherited: Mapping[str, str], bin_dir: Path) -> dict[str, str]:
    """The variables of ``ray start``, which every task inherits."""
    variables = {
        name: value
        for name, value in inherited.items()
        # Bytecode that is not kept makes every worker process compile all of Ray again.
        if name not in ("PYTHONDONTWRITEBYTECODE", "CAI_DEPLOY_SETTINGS", "RAY_ADDRESS")
    }
    variables |= {
        "PATH": f"{bin_dir}:{inherited.get('PATH', '')}",
        "RAY_USAGE_STATS_ENABLED": "0",
        # One report leaves even with the statistics off; this sends it nowhere.
        "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9",
        "RAY_gcs_grpc_initial_reconnect_backoff_ms": "50",
        "RAY_gcs_grpc_min_reconnect_backoff_ms": "100",
        "RAY_gcs_grpc_max_reconnect_backoff_ms": "200",
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": str(max(int(settings.stop_timeout) - 5, 1)),
        "PYTHONUNBUFFERED": "1",
    }
    return variables


def object_store_bytes(settings: NodeSettings, shared_memory: int) -> int:
    """The node's share for objects, as far as /dev/shm has room: Ray only warns when it has not, and slows down."""
    fits = int(shared_memory * SHARED_MEMORY_SHARE) if shared_memory else settings.object_store_bytes
    return max(min(settings.object_store_bytes, fits), SMALLEST_OBJECT_STORE)


def _port_words(ports: Mapping[str, int]) -> list[str]:
    words = []
    for name, flag in PORT_FLAGS.items():
        if name in ports:
            words.append(f"{flag}={ports[name]}")
        elif name in LEFT_TO_THE_SYSTEM:
            words.append(f"{flag}=0")
    return words
