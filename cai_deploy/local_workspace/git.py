"""Clones a repository for a new project, as long as it may take, and lets go at once when nobody wants it any more.

``shell.run`` is for programs with a short end; a clone must be ended when its project is deleted or the workspace
stops, so it is supervised here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from pathlib import Path

from cai_deploy.shell import last_lines

TIMEOUT = 900.0
# Set while git runs a hook: with them a clone would write into the caller's repository.
_OF_ANOTHER_REPOSITORY = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"}


class CloneFailed(Exception):
    """git could not bring the repository; the text holds git's own words, without credentials."""


async def clone(url: str, ref: str, directory: Path) -> None:
    """Clone ``url`` and check out a branch, a tag or a commit. Never asks anybody for a password."""
    await _git("clone", "--quiet", "--", url, str(directory))
    if ref:
        await _git("-C", str(directory), "checkout", "--quiet", ref, "--")


async def _git(*arguments: str) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY},
        # Nobody is there to be asked, on no terminal and in no window: without credentials it fails, and soon.
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GCM_INTERACTIVE": "never",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=20"),
    }
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise CloneFailed("git was not found on this machine") from error
    try:
        _, told = await asyncio.wait_for(process.communicate(), TIMEOUT)
    except asyncio.TimeoutError as error:
        raise CloneFailed(f"no end after {TIMEOUT:g} seconds") from error
    finally:
        if process.returncode is None:  # out of time, or cancelled: git's children must go too
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        raise CloneFailed(without_credentials(last_lines(told.decode(errors="replace"))))


def without_credentials(text: str) -> str:
    """Text with user and password cut out of every address in it."""
    return re.sub(r"://[^/@\s]+@", "://", text)
