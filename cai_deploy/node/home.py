"""A home directory for Ray's own services, so that the head's dashboard does not go looking for a cloud.

The dashboard asks three clouds' metadata servers where it runs (13 s where none answers) unless the home directory
holds a cluster launcher's file. A person's home, which is the project's clone in CML, is not ours to put one into: the
head's services get a home of their own, below the node's temporary directory, and Ray's start hook gives the real one
back to the raylet, from which every task, actor and job inherits. In the same way they do not inherit where the GCS
keeps its state: a task that starts a small Ray of its own must not open the cluster's store. Nothing of Ray is imported
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

REAL_HOME = "CAI_DEPLOY_REAL_HOME"
REAL_PATH = "CAI_DEPLOY_REAL_PYTHONPATH"
"""What PYTHONPATH was before a launcher put the way to the agent's program before it, which is none of a task's."""

WHEN_A_PROCESS_IS_GONE = {
    "RAY_grpc_client_keepalive_time_ms": "20000",
    "RAY_grpc_client_keepalive_timeout_ms": "20000",
}
"""How often who waits for a process's answer asks whether it is there, and for how long it may say nothing: as long as
a whole node may before it is DEAD. Ray 2.60's servers take such questions every 10 s without complaint (measured)."""

INSTEAD_OF_THE_GCS_OWN = {"RAY_gcs_storage": "memory", **WHEN_A_PROCESS_IS_GONE}
"""What tasks and drivers on a head have where the GCS has other values."""


def separate_home(temp_dir: Path, real: str) -> dict[str, str]:
    """Make that home and return the variables that lead to it, and back to the ``real`` one."""
    home = temp_dir / "home"
    home.mkdir()
    (home / "ray_bootstrap_config.yaml").write_text("provider: {type: cml}\n", encoding="utf-8")
    (home / ".ray").symlink_to(Path(real) / ".ray")  # Ray's settings and token are where they always were
    return {"HOME": str(home), REAL_HOME: real}


def own_import_path(inherited: Mapping[str, str]) -> dict[str, str]:
    """The variable with which tasks start, which need no program of ours."""
    return {"PYTHONPATH": inherited[REAL_PATH]} if REAL_PATH in inherited else {}
