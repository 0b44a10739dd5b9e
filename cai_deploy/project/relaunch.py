"""Running the deployer from inside a project, in the environment that was built there.

A runtime's bare Python lacks the deployer's dependencies; the cluster's environment has them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from cai_deploy import layout
from cai_deploy.errors import DeployError
from cai_deploy.project import program
from cai_deploy.project.environment import is_ready, newest_ready


def launch(root: Path, environment: str | None, arguments: Sequence[str], tell: Callable[[str], None]) -> None:
    """``cai_deploy launch`` with ``arguments``, its output told line by line. Raises DeployError as ``_deployer`` does.

    Which environment the nodes run on is for the launch to decide.
    """
    _deployer(root, environment, ["launch", *arguments], tell)


def watch(root: Path, environment: str | None, cluster: str, tell: Callable[[str], None]) -> None:
    """``cai_deploy watchdog`` for ``cluster``, in ``environment`` if it still stands. Raises DeployError likewise."""
    there = environment if environment and is_ready(root, environment) else None
    _deployer(root, there, ["watchdog", "--cluster", cluster], tell)


def call(root: Path, words: Sequence[str], tell: Callable[[str], None]) -> None:
    """``cai_deploy`` with ``words``, in the newest environment. Raises DeployError likewise."""
    _deployer(root, None, words, tell)


def _deployer(root: Path, environment: str | None, words: Sequence[str], tell: Callable[[str], None]) -> None:
    """``cai_deploy`` with ``words``, in ``environment`` or else the newest one.

    Raises DeployError when there is none, or when it ends with another status than 0.
    """
    name = environment or newest_ready(root)
    if name is None or not is_ready(root, name):
        raise DeployError(
            f"the environment {name} is not ready in this project"
            if name
            else "no environment is ready in this project",
            next_step="run the job cai-deploy-setup-environment first, or launch once from outside",
        )
    python = root / layout.environment_dir(name) / "bin" / "python"
    process = subprocess.Popen(
        [str(python), "-m", "cai_deploy", *words],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        for line in process.stdout or ():
            tell(line.rstrip("\n"))
    if process.returncode != 0:
        raise DeployError(f"{words[0]} ended with status {process.returncode}", why="its output stands above")


def _import_path() -> list[str]:
    """Where the deployer is: the program that this job runs too."""
    return [str(program.home()), *filter(None, [os.environ.get("PYTHONPATH")])]
