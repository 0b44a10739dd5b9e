"""One run of Ray on a node: started in a temporary directory of its own, and gone with it.

Ray refuses to start twice in one directory, so each run gets a fresh one. It does not know why Ray is started, nor what
is to happen when it ends.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cai_deploy.node import ports, ray
from cai_deploy.node.object_store import fitting_store
from cai_deploy.node.pod import Pod, free_shared_memory, make_temp_dir, scratch_of
from cai_deploy.node.process import RayProcess
from cai_deploy.node.ray_logs import RayLogs
from cai_deploy.node.start_hook import variables_of_head, variables_of_worker
from cai_deploy.node_settings import NodeSettings


class RayRun:
    """Starts Ray at once. ``gcs_address`` is the head to join, "" on the head itself; ``extra`` are more variables."""

    def __init__(
        self,
        settings: NodeSettings,
        pod: Pod,
        tell: Callable[[str], None],
        chosen: Mapping[str, int],
        gcs_address: str = "",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.temp_dir = make_temp_dir()
        self._began = time.monotonic()
        disk = shutil.disk_usage(self.temp_dir).free
        store = fitting_store(settings.object_store_bytes, free_shared_memory(), disk, self.temp_dir)
        if store.warning:
            tell(store.warning)
        start = ray.Start(
            node=pod.node,
            address=pod.address,
            temp_dir=self.temp_dir,
            store=store,
            ports=chosen,
            gcs_address=gcs_address,
            epoch=pod.epoch,
            process=pod.process,
        )
        variables = ray.environment(settings, os.environ, Path(sys.executable).parent)
        variables |= scratch_of(self.temp_dir)
        variables |= extra or {}
        if gcs_address:
            variables |= variables_of_worker(gcs_address, variables)
        else:
            variables |= variables_of_head(self.temp_dir, variables)
            variables |= ports.metrics_variables(ports.is_free, variables)
        self.process = RayProcess(
            # As a module, so that Ray finds the start hook in the project, and no long path stands in a script's head.
            [sys.executable, "-m", "ray.scripts.scripts", *ray.arguments(settings, start)],
            variables,
            pod.project,
            tell,
        )
        cluster = settings.cluster
        self._logs = RayLogs(self.temp_dir, pod.ray_log_file(cluster), pod.ended_ray_log_file(cluster), tell)

    @property
    def lived(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._began

    def end(self, patience: float) -> None:
        """End it with all that it started, after ``patience`` seconds at most, and remove its directory."""
        self.process.stop(patience)
        self._logs.end()
        shutil.rmtree(self.temp_dir, ignore_errors=True)
