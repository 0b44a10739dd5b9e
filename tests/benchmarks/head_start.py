"""One real head, started by its launcher in a pod of its own, until its Ray is up and opens no more files."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cai_deploy import RAY_VERSION, layout
from cai_deploy.node_settings import NodeSettings
from cai_deploy.places import archive
from cai_deploy.render import render_launcher
from tests.benchmarks.slow_files import opens

POD = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
LOOPBACK = 'ip link set lo up; exec "$@"'
UP = "Ray runtime started"
QUIET, STILL = 3.0, 20
"""So many seconds with so few files: a head that is up looks at its connection file now and then."""


def launcher_text(cluster: str, environment: str) -> str:
    """The launcher of a head."""
    settings = NodeSettings(
        cluster=cluster,
        role="head",
        group="head",
        environment=environment,
        ray_version=RAY_VERSION,
        cpu=1,
        memory_gb=0.25,
        ports={"gcs": 6379, "dashboard": 8265, "client": 10001, "serve": 8000},
        authentication="none",
    )
    return render_launcher(settings, "head.py").text


def bring_program(project: Path) -> dict[str, str]:
    """Put what nodes run into the project, as a launch does; the variables that lead to it."""
    program = archive.node_digest()
    (project / layout.CODE_DIR).mkdir(parents=True, exist_ok=True)
    file = project / layout.code_archive(program)
    if not file.exists():  # nodes that have started read it
        file.write_bytes(archive.pack(archive.of_nodes()))
    return {"CAI_DEPLOY_PROGRAM": program}


class HeadStart:
    """Begins at once. ``up_after`` so many seconds Ray says that it runs; ``opens`` is counted until it is quiet."""

    def __init__(
        self, project: Path, environment: str, cluster: str, counter: Path, environ: Mapping[str, str]
    ) -> None:
        self._counter = counter
        self._log = project / layout.node_log_file(cluster, "head")
        launcher = project / f"{cluster}.py"
        launcher.write_text(launcher_text(cluster, environment))
        bare = Path(sys.executable).resolve()
        told = {"CAI_DEPLOY_NODE": "head", "CDSW_IP_ADDRESS": "127.0.0.1", "CDSW_APP_PORT": "8100"}
        told |= bring_program(project)
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [*POD, "bash", "-c", LOOPBACK, "pod", str(bare), str(launcher)], cwd=project, env={**environ, **told}
        )

    @property
    def told(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def wait(self, limit: float = 400.0) -> None:
        end = self._began + limit
        while UP not in self.told:
            assert self._process.poll() is None, self.told
            assert time.monotonic() < end, self.told
            time.sleep(0.02)
        self.up_after = time.monotonic() - self._began
        self.opens, window = opens(self._counter), time.monotonic() + QUIET
        while time.monotonic() < window:
            assert time.monotonic() < end, "it opens files without end"
            if (now := opens(self._counter)) > self.opens + STILL:
                self.opens, window = now, time.monotonic() + QUIET
            time.sleep(0.1)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
