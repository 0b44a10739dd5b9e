"""A person at a terminal: a command in a real pseudo-terminal, who answers what it asks."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def at_a_terminal(
    argv: Sequence[str], answers: Sequence[tuple[str, str]], *, cwd: Path, env: Mapping[str, str]
) -> tuple[int, str]:
    """The command's status, and all that was shown. Each of ``answers`` is typed once its question has been read."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown, left, read = "", list(answers), 0
    try:
        while piece := os.read(ours, 4096):
            shown += piece.decode(errors="replace").replace("\r\n", "\n")
            if left and left[0][0] in shown[read:]:
                read = len(shown)
                os.write(ours, f"{left.pop(0)[1]}\n".encode())
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return process.wait(60), shown
