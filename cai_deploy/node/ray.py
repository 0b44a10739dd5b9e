"""NodeSettings -> the arguments and environment of ``ray start``. Pure.

Every flag that could be guessed wrongly in a pod is given: Ray takes 127.0.0.1 for its address without a default route,
counts the machine's CPUs instead of the pod's, and sizes its object store by the machine's memory.

How the head finds out that a worker is gone (measured on Ray 2.60, with the values below): the GCS asks each raylet
every second. A raylet that died refuses the connection at once, and two refusals in a row make it DEAD 1.7 to 2.0 s
after its end. One that is there and says nothing gets 10 s for each answer: 15 s of silence (a paused process, a host
without breath) harmed nothing, and one that never answers again is DEAD after 22 s. A shorter time for an answer (1 s:
3.1 s) would kill nodes that are only slow, with all their work. Ray's own values would be 15 s for the first and 65 s
for the last. A pod that vanished says nothing either, but there is no kernel either that confirms what was sent: the
GCS's connection to it breaks after 8 s, and once more, while below a slow program the kernel goes on confirming: DEAD
after 17 s, and a cut of 15 s costs nothing. With 5 s (11 s) a cut of 6 s of the head's network cost all nodes their
work; now one of 10 s does. A pod whose address has gone with it is missed sooner, in 2 to 5 s.

That a node is DEAD does not end the calls to what ran there: who waits for a task waits until the connection to its
process breaks. Of a machine that vanished nobody tells a caller, and Ray's own clients look after 300 s for the first
time and then wait 120 s: `ray.get` stood still for 5 minutes after a cut of one. Ours (`home.py`) look every 20 s.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cai_deploy.node.home import WHEN_A_PROCESS_IS_GONE
from cai_deploy.node.object_store import ObjectStore
from cai_deploy.node_settings import NodeSettings

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


LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
"""What Ray takes for the value of a label."""

SURVIVES_WITHOUT_HEAD = 600
"""Seconds for which a worker's Ray, with all its work, waits for a GCS that is away. The platform needs up to 300 to
start a failed head again. A worker without a head costs nothing but itself; one that ends takes its actors along."""

WHEN_A_WORKER_IS_GONE = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "10000",
    "RAY_health_check_failure_threshold": "2",
    # gRPC takes it for TCP_USER_TIMEOUT: how long bytes that were sent may stay unconfirmed by the other kernel.
    "RAY_grpc_client_keepalive_timeout_ms": "8000",
}


@dataclass(frozen=True)
class Start:
    """What one start of Ray depends on besides the settings."""

    node: str
    address: str
    temp_dir: Path
    store: ObjectStore
    ports: Mapping[str, int]
    gcs_address: str = ""
    epoch: str = ""
    process: str = ""


def arguments(settings: NodeSettings, start: Start) -> list[str]:
    """The words after ``ray``. A head is told its ports, a worker the ``gcs_address`` to join."""
    memory = int(settings.memory_gb * 1024**3)
    labels = {"cai-deploy/group": settings.group, "cai-deploy/node": start.node, **settings.labels}
    if start.epoch:
        labels["cai-deploy/epoch"] = start.epoch
    if LABEL.fullmatch(start.process):
        labels["cai-deploy/process"] = start.process
    words = [
        *("start", "--block", "--disable-usage-stats", "--log-color=false"),
        f"--node-ip-address={start.address}",
        f"--node-name={start.node}",
        f"--num-cpus={int(settings.cpu)}",
        f"--num-gpus={settings.gpu}",
        f"--memory={max(memory - start.store.size, 0)}",
        *start.store.words,
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
        # Slurm gives a job none whose user has no login shell, and Ray looks for its bash there.
        "PATH": f"{bin_dir}:{inherited.get('PATH') or os.defpath}",
        "RAY_USAGE_STATS_ENABLED": "0",
        # One report leaves even with the statistics off; this sends it nowhere.
        "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9",
        "RAY_gcs_grpc_initial_reconnect_backoff_ms": "50",
        "RAY_gcs_grpc_min_reconnect_backoff_ms": "100",
        "RAY_gcs_grpc_max_reconnect_backoff_ms": "200",
        "RAY_gcs_rpc_server_reconnect_timeout_s": str(SURVIVES_WITHOUT_HEAD),
        # A node that a new GCS does not know (its state was lost) ends within 2 s, and its agent joins it anew.
        "RAY_raylet_liveness_self_check_interval_ms": "1000",
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": str(max(int(settings.stop_timeout) - 5, 1)),
        "PYTHONUNBUFFERED": "1",
    }
    # What a person has set counts for more.
    return (WHEN_A_WORKER_IS_GONE if settings.role == "head" else WHEN_A_PROCESS_IS_GONE) | variables


def _port_words(ports: Mapping[str, int]) -> list[str]:
    words = []
    for name, flag in PORT_FLAGS.items():
        if name in ports:
            words.append(f"{flag}={ports[name]}")
        elif name in LEFT_TO_THE_SYSTEM:
            words.append(f"{flag}=0")
    return words
