"""The one seam for running other programs to their end.

Tests replace :func:`run` here and nowhere else. It must not know what it runs. Programs that live on (Ray, an
application, a workspace) are started where they are supervised, not here.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cai_deploy.errors import CommandFailed

TAIL_LINES = 20


@dataclass(frozen=True)
class Completed:
    """What a finished program left behind."""

    status: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> Completed:
    """Run ``argv`` to its end (``timeout`` in seconds) and return its output.

    Raises CommandFailed when it ends with another status than 0, cannot be started, or takes too long.
    """
    shown = shlex.join(argv)
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env=dict(env) if env is not None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandFailed(shown, 127, f"{argv[0]} was not found on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(shown, 124, f"no end after {timeout:g} seconds") from error
    if done.returncode != 0:
        raise CommandFailed(shown, done.returncode, last_lines(done.stderr or done.stdout))
    return Completed(done.returncode, done.stdout, done.stderr)


def last_lines(text: str, count: int = TAIL_LINES) -> str:
    """The last ``count`` lines of ``text`` that are not blank, which is where programs say what went wrong."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])
