"""What a node knows of the pod it is in: its name, its address and its HTTP port, from the platform's variables."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import layout
from cai_deploy.errors import ConfigError

LONGEST_TEMP_DIR = 40
"""Characters. Ray puts unix sockets below it, whose paths end at 107; 46 hung and 50 failed when tried."""


@dataclass(frozen=True)
class Pod:
    """The pod of one node. ``url`` is its application's public address, "" when nobody said."""

    node: str
    project: Path
    address: str
    app_port: int
    url: str
    head_address: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], project: Path) -> Pod:
        """Read the platform's variables. Raises ConfigError without a node name."""
        node = environ.get("CAI_DEPLOY_NODE", "")
        if not node:
            raise ConfigError("CAI_DEPLOY_NODE is not set", next_step="start the node through its launcher")
        return cls(
            node=node,
            project=project,
            address=environ.get("CDSW_IP_ADDRESS") or own_address(),
            app_port=int(environ.get("CDSW_APP_PORT", "8100")),
            url=environ.get("CAI_DEPLOY_URL", ""),
            head_address=environ.get("RAY_HEAD_ADDRESS", ""),
        )

    def log_file(self, cluster: str) -> Path:
        """Where this node's story is kept for readers outside."""
        return self.project / layout.node_log_file(cluster, self.node)

    def connection_file(self, cluster: str) -> Path:
        """Where the head is, or was."""
        return self.project / layout.connection_file(cluster)


def own_address() -> str:
    """The address that this pod would use to talk to others; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def make_temp_dir() -> Path:
    """A fresh, pod-local directory for Ray's sockets and session; Ray refuses to start twice in one."""
    usual = Path(tempfile.mkdtemp(prefix="ray-"))
    if len(str(usual)) <= LONGEST_TEMP_DIR:
        return usual
    usual.rmdir()
    return Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))


def scratch_of(temp_dir: Path) -> dict[str, str]:
    """The variable that sends the temporary files of Ray and of its tasks below ``temp_dir``, to go when it goes."""
    scratch = temp_dir / "tmp"
    scratch.mkdir()
    return {"TMPDIR": str(scratch)}


def free_shared_memory() -> int:
    """Bytes left in /dev/shm, 0 where there is none."""
    try:
        return shutil.disk_usage("/dev/shm").free  # noqa: S108
    except OSError:
        return 0
