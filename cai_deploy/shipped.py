"""What travels with the package: launchers, jobs, the lock file of the nodes' environment, the annotated example.

In a checkout they stand beside the package; in a wheel, and in the copy of the program that a project gets, inside it.
It knows where they are and must not know what they are for.
"""

from __future__ import annotations

from pathlib import Path

from cai_deploy.errors import DeployError

PACKAGE = Path(__file__).parent
INSIDE = "_shipped"
LOCK = "requirements/cluster.txt"
EXAMPLE = "cai-deploy.yaml"
LAUNCHERS = "launchers"
JOBS = "jobs"


def find(path: str) -> Path:
    """Where the file or directory ``path`` of those named above is. Raises DeployError when it is not installed."""
    for home in (PACKAGE / INSIDE, PACKAGE.parent):
        if (home / path).exists():
            return home / path
    raise DeployError(f"{path} is not installed with cai_deploy", next_step="install cai_deploy again")
