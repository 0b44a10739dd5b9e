"""A directory whose files are far away, for programs that are started with it: each open takes longer, and is counted.

Counted is what a start has to fetch one after another, and what is the same on every machine. It is counted within the
programs, which takes neither privileges nor a file system of its own.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("slow_files.c")


@dataclass(frozen=True)
class SlowFiles:
    """Everything below ``directory``, in programs that have the ``variables``; each counter is a file of its own."""

    library: Path
    directory: Path

    def variables(self, counter: Path, milliseconds: float = 0.0) -> dict[str, str]:
        """For one program and all that it starts."""
        counter.write_bytes(bytes(8))
        return {
            "LD_PRELOAD": str(self.library),
            "SLOW_BELOW": str(self.directory),
            "SLOW_COUNT": str(counter),
            "SLOW_MICROSECONDS": str(int(milliseconds * 1000)),
        }


def opens(counter: Path) -> int:
    """How many files have been opened so far."""
    return int.from_bytes(counter.read_bytes(), "little")


def slow_files(directory: Path, scratch: Path) -> SlowFiles:
    """Skips the test where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = scratch / "slow_files.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
    return SlowFiles(library, directory)
