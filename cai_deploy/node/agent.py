"""The agent: one node's life from its start to its last process.

Ray is started first and everything else beside it, as Ray's start is what a cluster waits for. The agent ends when it
is told to (cleanly), or when Ray ends by itself (with a failure, so that the platform starts the node anew).
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import Any

from cai_deploy import connection
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConnectionFileError, DeployError
from cai_deploy.node import ports, ray
from cai_deploy.node.head_search import find_head, listens
from cai_deploy.node.journal import Journal
from cai_deploy.node.pod import Pod, free_shared_memory, make_temp_dir
from cai_deploy.node.process import RayProcess, kill_descendants
from cai_deploy.node.status import serve_status
from cai_deploy.node_settings import NodeSettings

POLL = 0.1
GCS_TIMEOUT = 120.0


class RayEnded(DeployError):
    """Ray ended although nobody asked it to."""


class Agent:
    """Runs one node in one pod."""

    def __init__(self, settings: NodeSettings, pod: Pod, journal: Journal) -> None:
        self._settings = settings
        self._pod = pod
        self._journal = journal
        self._stop = threading.Event()
        self._state = "starting"
        self._temp_dir = make_temp_dir()

    def run(self) -> int:
        """Run until told to stop. Raises DeployError when the node cannot start or Ray ends by itself."""
        signal.signal(signal.SIGTERM, self._told_to_stop)
        signal.signal(signal.SIGINT, self._told_to_stop)
        what = f"{self._settings.role} {self._pod.node} of {self._settings.cluster} at {self._pod.address}"
        self._journal.tell(f"{what}, Ray {self._settings.ray_version}, {self._settings.environment}")
        process: RayProcess | None = None
        try:
            process = self._start_head() if self._settings.role == "head" else self._start_worker()
            if process:
                self._follow(process)
        finally:
            self._journal.tell("stopping")
            if process:
                process.stop(self._settings.stop_timeout)
            kill_descendants()
            shutil.rmtree(self._temp_dir, ignore_errors=True)
        self._journal.tell("stopped")
        return 0

    def _start_head(self) -> RayProcess | None:
        keep_cloud_probes_away(Path.home())
        chosen = ports.choose(self._settings.ports, self._settings.pinned_ports)
        process = self._start_ray(chosen, "")
        info = self._connection_info(chosen)
        from cai_deploy.node.gateway import Gateway

        Gateway(f"http://127.0.0.1:{chosen['dashboard']}", self._describe_members(info)).serve(self._pod.app_port)
        self._wait_for_gcs(process, info.gcs_address)
        if not self._stop.is_set():
            connection.write(self._pod.connection_file(self._settings.cluster), info)
            self._state = "running"
            self._journal.tell(f"the head is up: epoch {info.epoch}, GCS at {info.gcs_address}")
        return process

    def _start_worker(self) -> RayProcess | None:
        serve_status(self._pod.app_port, lambda: {"node": self._pod.node, "state": self._state})
        file = self._pod.connection_file(self._settings.cluster)
        address = find_head(
            self._pod.head_address, file, self._settings.join_timeout, self._journal.tell, self._stop.is_set
        )
        if not address:
            return None
        self._journal.tell(f"joining the head at {address}")
        self._state = "running"
        return self._start_ray(self._settings.ports, address)

    def _start_ray(self, chosen: Any, gcs_address: str) -> RayProcess:
        bin_dir = Path(sys.executable).parent
        start = ray.Start(
            node=self._pod.node,
            address=self._pod.address,
            temp_dir=self._temp_dir,
            shared_memory=free_shared_memory(),
            ports=chosen,
            gcs_address=gcs_address,
        )
        return RayProcess(
            [str(bin_dir / "ray"), *ray.arguments(self._settings, start)],
            ray.environment(self._settings, os.environ, bin_dir),
            self._pod.project,
            self._journal.tell,
        )

    def _wait_for_gcs(self, process: RayProcess, address: str) -> None:
        """Until the GCS listens, Ray ends, or we are told to stop."""
        for _ in range(int(GCS_TIMEOUT / POLL)):
            if listens(address) or process.ended() is not None or self._stop.wait(POLL):
                return
        raise RayEnded(f"Ray's GCS does not listen at {address} after {GCS_TIMEOUT:.0f} seconds")

    def _follow(self, process: RayProcess) -> None:
        while not self._stop.wait(POLL):
            status = process.ended()
            if status is not None:
                raise RayEnded(
                    f"Ray ended with status {status}",
                    why="\n".join(process.last_lines),
                    next_step="the platform starts failed applications anew; `launch` does so at once",
                )

    def _connection_info(self, chosen: Any) -> ConnectionInfo:
        address = self._pod.address
        return ConnectionInfo(
            cluster=self._settings.cluster,
            epoch=self._last_epoch() + 1,
            node_address=address,
            gcs_address=f"{address}:{chosen['gcs']}",
            client_address=f"{address}:{chosen['client']}",
            dashboard_address=f"{address}:{self._pod.app_port}",
            dashboard_url=self._pod.url,
            ray_version=self._settings.ray_version,
            python_version=".".join(str(part) for part in sys.version_info[:3]),
            started_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )

    def _last_epoch(self) -> int:
        try:
            info = connection.load(self._pod.connection_file(self._settings.cluster))
        except ConnectionFileError as error:
            self._journal.tell(f"the last connection file is of no use: {error}")
            return 0
        return info.epoch if info else 0

    def _describe_members(self, info: ConnectionInfo) -> Any:
        from cai_deploy.node.members import Members

        members: list[Members] = []

        def describe() -> dict[str, Any]:
            # Made at the first question that finds a GCS: before that there is nobody to connect to.
            if not members:
                if not listens(info.gcs_address):
                    return {"epoch": info.epoch, "nodes": []}
                members.append(Members(info.gcs_address))
            return {"epoch": info.epoch, "nodes": members[0].list()}

        return describe

    def _told_to_stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._stop.set()


def keep_cloud_probes_away(home: Path) -> None:
    """Tell Ray where it runs, or its dashboard asks three clouds' metadata servers first, for 13 s where none answers.

    It looks for the cluster launcher's file in the home directory, whose ``provider`` is all that is read of it.
    """
    file = home / "ray_bootstrap_config.yaml"
    if not file.exists():
        file.write_text("# Tells Ray that this is no cloud machine. Written by cai_deploy.\nprovider: {type: cml}\n")
