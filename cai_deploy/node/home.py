"""A home directory for Ray's own services, so that the head's dashboard does not go looking for a cloud.

The dashboard asks three clouds' metadata servers where it runs (13 s where none answers) unless the home directory
holds a cluster launcher's file. A person's home, which is the project's clone in CML, is not ours to put one into: the
head's services get a home of their own, below the node's temporary directory, and Ray's start hook gives the real one
back to the raylet, from which every task, actor and job inherits. Nothing of Ray is imported here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOOK = "RAY_START_HOOK"
REAL_HOME = "CAI_DEPLOY_REAL_HOME"


def separate_home(temp_dir: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Make that home and return the variables that lead to it; none of them when somebody has a start hook already."""
    real = inherited.get("HOME", "")
    if not real or HOOK in inherited:
        return {}
    home = temp_dir / "home"
    home.mkdir()
    (home / "ray_bootstrap_config.yaml").write_text("provider: {type: cml}\n", encoding="utf-8")
    (home / ".ray").symlink_to(Path(real) / ".ray")  # Ray's settings and token are where they always were
    return {"HOME": str(home), REAL_HOME: real, HOOK: f"{__name__}.give_home_back"}


def give_home_back(parameters: Any, head: bool) -> None:  # noqa: ARG001 (Ray calls it with both)
    """Called by ``ray start`` just before it starts anything."""
    os.environ.pop(HOOK, None)
    parameters.env_vars = {**(parameters.env_vars or {}), "HOME": os.environ.pop(REAL_HOME)}
