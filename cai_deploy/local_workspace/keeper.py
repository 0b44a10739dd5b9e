"""Ends a workspace whose keeper has died: a test run that was killed cannot stop what it has started."""

from __future__ import annotations

import asyncio
import os

from cai_deploy.local_workspace.process_table import start_time

VARIABLE = "CAI_DEPLOY_WORKSPACE_KEEPER"
PAUSE = 0.5


async def end_without_keeper(ending: asyncio.Event) -> None:
    """Set ``ending`` once the process that the environment names is gone; without such a process, never."""
    pid = os.environ.get(VARIABLE, "")
    if not pid.isdecimal():
        return
    born = start_time(int(pid))
    while born and start_time(int(pid)) == born:
        await asyncio.sleep(PAUSE)
    ending.set()
