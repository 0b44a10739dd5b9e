"""The command line, with the stand-in for the job that builds environments in the place of the one that is shipped.

``python -m tests.chaos.command ARGUMENTS`` is the real ``python -m cai_deploy ARGUMENTS`` but for that job, and but for
the wire when a test gives it another: a cluster is up in tenths of a second then.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cai_deploy import cli, shipped, workspace

STAND_IN = Path(__file__).with_name("setup_environment.py")


def run(transport: Callable[..., Any] | None = None) -> None:
    """Be the command that ``sys.argv`` says. ``transport`` stands in for the workspace's own."""
    find = shipped.find

    def with_stand_in(path: str) -> Path:
        return STAND_IN if path == f"{shipped.JOBS}/{STAND_IN.name}" else find(path)

    vars(shipped)["find"] = with_stand_in
    if transport is not None:
        vars(workspace)["Transport"] = transport
    cli.run()


if __name__ == "__main__":
    run()
