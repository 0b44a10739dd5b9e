"""Running the deployer from inside a project, in the environment that was built there.

A runtime's bare Python lacks the deployer's dependencies; the cluster's environment has them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from cai_deploy import layout
from cai_deploy.errors import DeployError
from cai_deploy.project.environment import is_ready, newest_ready


def launch(root: Path, environment: str | None, arguments: Sequence[str], tell: Callable[[str], None]) -> None:
    """``cai_deploy launch`` with ``arguments``, its output told line by line.

    Without a name the newest environment is used; which one the nodes run on is for the launch to decide. Raises
    DeployError when there is none, or when the launch ends with another status than 0.
    """
    name = environment or newest_ready(root)
    if name is None or not is_ready(root, name):
        raise DeployError(
            f"the environment {name} is not ready in this project"
            if name
            else "no environment is ready in this project",
            next_step="run the job jobs/setup_environment.py first, or launch once from outside",
        )
    python = root / layout.environment_dir(name) / "bin" / "python"
    process = subprocess.Popen(
        [str(python), "-m", "cai_deploy", "launch", *arguments],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        for line in process.stdout or ():
            tell(line.rstrip("\n"))
    if process.returncode != 0:
        raise DeployError(f"launch ended with status {process.returncode}", why="its output stands above")
