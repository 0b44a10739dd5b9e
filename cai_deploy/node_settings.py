"""What one node agent has to know, as the launcher hands it over.

Rendered into a launcher by the deployer, parsed by the agent inside the node: the contract between these two wings.
It leaves out the node's own name and address (the pod's environment carries those), so that all nodes of a
group share one launcher. Standard library only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Literal

from cai_deploy.errors import ConfigError

Role = Literal["head", "worker"]
Authentication = Literal["token", "none"]

NODE_PORTS = (
    "node_manager",
    "object_manager",
    "dashboard_agent",
    "dashboard_agent_grpc",
    "runtime_env_agent",
    "metrics",
)
"""What the Ray of every node opens at its start. Beside them stand its workers, one port each, from a range."""

WORKER_PORTS = ("worker_min", "worker_max")

SMALLEST_OBJECT_STORE = 78_643_200
"""Bytes; Ray refuses less."""

OBJECT_STORE_SHARE = 0.3
"""Of a node's memory: Ray's own choice, which it would take of the machine's memory instead of the pod's."""


@dataclass(frozen=True)
class NodeSettings:
    """One group's settings. Memory is in GB, times are in seconds.

    ``ports`` maps Ray's port names (``gcs``, ``dashboard``, ``client``, ``serve``, ``node_manager`` ...) to numbers;
    a name that is missing is left to Ray. A port named in ``pinned_ports`` must be free, the others may move
    to the next free port when another program holds them.
    """

    cluster: str
    role: Role
    group: str
    environment: str
    ray_version: str
    cpu: float
    memory_gb: float
    gpu: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    pinned_ports: list[str] = field(default_factory=list)
    join_timeout: float = 600.0
    stop_timeout: float = 30.0
    authentication: Authentication = "token"
    tls: bool = False

    @property
    def object_store_bytes(self) -> int:
        """The node's memory for objects."""
        return max(int(self.memory_gb * 1024**3 * OBJECT_STORE_SHARE), SMALLEST_OBJECT_STORE)

    def to_json(self) -> str:
        """Canonical text: equal settings give equal text, so launchers compare by their bytes."""
        return json.dumps(asdict(self), sort_keys=True)


def parse(text: str) -> NodeSettings:
    """Settings from what the launcher hands over. Raises ConfigError for text that is not ours."""
    try:
        return NodeSettings(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ConfigError(
            "the node's settings are not readable",
            why=str(error),
            next_step="render the launchers again with the cai_deploy version that the project holds",
        ) from error
