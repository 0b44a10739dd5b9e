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
from cai_deploy.node.host_processes import PROCESS

LONGEST_TEMP_DIR = 40
"""Characters. Ray puts unix sockets below it, whose paths end at 107; 46 hung and 50 failed when tried."""


@dataclass(frozen=True)
class Pod:
    """The pod of one node. ``url`` is its application's public address, "" when nobody said.

    ``epoch`` is that of the change under which the application was last set up: as Ray's label it tells those outside
    whether the node has been started anew since. ``process`` is what a person finds the node's process by, where it has
    a keeper.
    """

    node: str
    project: Path
    address: str
    app_port: int
    url: str
    head_address: str
    epoch: str = ""
    process: str = ""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], project: Path) -> Pod:
        """Read the platform's variables. Raises ConfigError without a node name."""
        node = environ.get("CAI_DEPLOY_NODE", "")
        if not node:
            raise ConfigError("CAI_DEPLOY_NODE is not set", next_step="start the node through its launcher")
        return cls(
            node=node,
            project=project,
            address=environ.get("CDSW_IP_ADDRESS") or _chosen(environ.get("CAI_DEPLOY_ADDRESS", "")) or own_address(),
            app_port=int(environ.get("CDSW_APP_PORT", "8100")),
            url=environ.get("CAI_DEPLOY_URL", ""),
            head_address=environ.get("RAY_HEAD_ADDRESS", ""),
            epoch=environ.get("CAI_DEPLOY_EPOCH", ""),
            process=environ.get(PROCESS, ""),
        )

    def log_file(self, cluster: str) -> Path:
        """Where this node's story is kept for readers outside."""
        return self.project / layout.node_log_file(cluster, self.node)

    def ray_log_file(self, cluster: str) -> Path:
        """Where the ends of the logs of this node's Ray are kept while it runs."""
        return self.project / layout.ray_log_file(cluster, self.node)

    def ended_ray_log_file(self, cluster: str) -> Path:
        """Where those of the Ray that ended last are kept."""
        return self.project / layout.ended_ray_log_file(cluster, self.node)

    def connection_file(self, cluster: str) -> Path:
        """Where the head is, or was."""
        return self.project / layout.connection_file(cluster)

    def token_file(self, cluster: str) -> Path:
        """What opens the cluster."""
        return self.project / layout.token_file(cluster)

    def authority_file(self, cluster: str) -> Path:
        """What signs the certificates of the cluster's nodes."""
        return self.project / layout.authority_file(cluster)

    def head_job_file(self, cluster: str, job_id: int) -> Path:
        """Where the head is that is the batch job with this number."""
        return self.project / layout.head_job_file(cluster, job_id)

    def job_script_file(self, cluster: str) -> Path:
        """What this node was submitted with, where it is a batch job."""
        return self.project / layout.job_script_file(cluster, self.node)

    def gcs_store(self, cluster: str) -> Path:
        """Where the head's GCS keeps its state."""
        return self.project / layout.gcs_store_dir(cluster)

    def head_lock(self, cluster: str) -> Path:
        """What the head locks that may write that state."""
        return self.project / layout.head_lock_file(cluster)


def own_address() -> str:
    """The address that this pod would use to talk to others; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _chosen(address: str) -> str:
    """The address that a person wants; "" where Ray would take our own for it, as it does for this one."""
    return "" if address in ("127.0.0.1", "localhost") else address


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
