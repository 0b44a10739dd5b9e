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
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from cai_deploy import connection
from cai_deploy.errors import DeployError
from cai_deploy.node import ports, ray
from cai_deploy.node.announcement import announcement
from cai_deploy.node.head_search import find_head, listens
from cai_deploy.node.home import separate_home
from cai_deploy.node.journal import Journal
from cai_deploy.node.pod import Pod, free_shared_memory, make_temp_dir, scratch_of
from cai_deploy.node.process import RayProcess, kill_descendants
from cai_deploy.node.status import serve_status
from cai_deploy.node_settings import NodeSettings

POLL = 0.1
GCS_TIMEOUT = 120.0
LOOK_EVERY = 1.0
MISSED = 4
"""Looks in a row without a vital service; ``ray start`` itself gets this long to tell its end better than we could."""

ANEW = "the platform starts failed applications anew; `launch` does so at once"


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
        self._process: RayProcess | None = None
        self._temp_dir = make_temp_dir()

    def run(self) -> int:
        """Run until told to stop. Raises DeployError when the node cannot start or Ray ends by itself."""
        signal.signal(signal.SIGTERM, self._told_to_stop)
        signal.signal(signal.SIGINT, self._told_to_stop)
        what = f"{self._settings.role} {self._pod.node} of {self._settings.cluster} at {self._pod.address}"
        self._journal.tell(f"{what}, Ray {self._settings.ray_version}, {self._settings.environment}")
        try:
            if self._settings.role == "head":
                self._start_head()
            else:
                self._start_worker()
            if self._process:
                self._follow(self._process)
        finally:
            self._journal.tell("stopping")
            if self._process:
                self._process.stop(self._settings.stop_timeout)
            kill_descendants()
            shutil.rmtree(self._temp_dir, ignore_errors=True)
        self._journal.tell("stopped")
        return 0

    def _start_head(self) -> None:
        chosen = ports.choose(self._settings.ports, self._settings.pinned_ports)
        self._start_ray(chosen, "")
        info = announcement(self._settings, self._pod, chosen, self._journal.tell)
        # Imported only now, as aiohttp takes a quarter second that Ray need not wait for.
        from cai_deploy.node.gateway import Gateway
        from cai_deploy.node.members import MemberList

        members = MemberList(info.gcs_address, info.epoch)
        Gateway(f"http://127.0.0.1:{chosen['dashboard']}", members.describe).serve(self._pod.app_port)
        if self._gcs_answers(info.gcs_address):
            connection.write(self._pod.connection_file(self._settings.cluster), info)
            self._journal.tell(f"the head is up: epoch {info.epoch}, GCS at {info.gcs_address}")

    def _start_worker(self) -> None:
        serve_status(self._pod.app_port, lambda: {"node": self._pod.node, "state": self._state})
        file = self._pod.connection_file(self._settings.cluster)
        address = find_head(
            self._pod.head_address, file, self._settings.join_timeout, self._journal.tell, self._stop.is_set
        )
        if address:
            self._journal.tell(f"joining the head at {address}")
            self._start_ray(self._settings.ports, address)
            self._state = "running"

    def _start_ray(self, chosen: Mapping[str, int], gcs_address: str) -> None:
        bin_dir = Path(sys.executable).parent
        start = ray.Start(
            node=self._pod.node,
            address=self._pod.address,
            temp_dir=self._temp_dir,
            shared_memory=free_shared_memory(),
            ports=chosen,
            gcs_address=gcs_address,
        )
        variables = ray.environment(self._settings, os.environ, bin_dir)
        variables |= scratch_of(self._temp_dir)
        if not gcs_address:
            variables |= separate_home(self._temp_dir, variables) | ports.metrics_variables(ports.is_free)
        self._process = RayProcess(
            # As a module, so that Ray finds the start hook in the project, and no long path stands in a script's head.
            [sys.executable, "-m", "ray.scripts.scripts", *ray.arguments(self._settings, start)],
            variables,
            self._pod.project,
            self._journal.tell,
        )

    def _gcs_answers(self, address: str) -> bool:
        """Wait until the GCS listens; False when Ray ends before, or when we are told to stop."""
        for _ in range(int(GCS_TIMEOUT / POLL)):
            if self._process is None or self._process.ended() is not None:
                return False
            if listens(address):
                return True
            if self._stop.wait(POLL):
                return False
        raise RayEnded(f"Ray's GCS does not listen at {address} after {GCS_TIMEOUT:.0f} seconds")

    def _follow(self, process: RayProcess) -> None:
        """Until told to stop. Raises RayEnded when Ray or a vital service of it ends before.

        ``ray start --block`` is not enough to watch: it stays when its raylet ends without failure, and hangs when the
        GCS dies while it is still starting.
        """
        seen: set[str] = set()
        missed = 0
        looked = time.monotonic()
        while not self._stop.wait(POLL):
            status = process.ended()
            if status is not None:
                raise RayEnded(f"Ray ended with status {status}", why="\n".join(process.last_lines), next_step=ANEW)
            if time.monotonic() - looked >= LOOK_EVERY:
                looked = time.monotonic()
                running = process.services()
                seen |= running
                missed = 0 if running == seen else missed + 1
                if missed >= MISSED:
                    gone = ", ".join(sorted(seen - running))
                    raise RayEnded(f"Ray ended: no {gone} any more", why="\n".join(process.last_lines), next_step=ANEW)

    def _told_to_stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._stop.set()
