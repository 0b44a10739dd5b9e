"""A cache of uv's in which the packages of a cluster's nodes lie compiled, so that tests compile them once.

Every cluster of a test builds its environment anew, by the very commands that anybody's does. Three quarters of what
that costs is to compile 6,000 files, always the same ones. uv installs what lies in its cache as it lies there, and
compiles what has no bytecode yet: where that is in the cache, the same command has nothing left to do.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

UV = Path(sys.executable).with_name("uv")
LOCKED = Path(__file__).parents[2] / "requirements/cluster.txt"


@lru_cache(maxsize=1)
def compiled_cache() -> Path:
    """Where it is: beside uv's own, on the same file system, for this lock and this Python alone."""
    usual = Path(subprocess.run([UV, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip())
    what = hashlib.sha256(LOCKED.read_bytes() + sys.version.encode()).hexdigest()[:12]
    cache = usual.parent / "cai-deploy-tests" / what
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cache.exists():
            _make(cache, usual)
    return cache


def _make(cache: Path, usual: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache.parent) as scratch:
        filled, environment = Path(scratch) / "cache", Path(scratch) / "environment"
        if usual.exists():
            subprocess.run(["cp", "--archive", "--link", usual, filled], check=True)
        python = environment / "bin/python"
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
        linked = ("--link-mode", "hardlink", "--cache-dir", filled)
        subprocess.run([UV, "pip", "sync", "--quiet", *linked, "--python", python, LOCKED], check=True)
        subprocess.run([python, "-m", "compileall", "-q", "-j", "2", *_unpacked(filled, environment)], check=True)
        shutil.move(filled, cache)


def _unpacked(cache: Path, environment: Path) -> list[Path]:
    """The directories of the cache that this environment's packages are links to."""
    installed = {file.stat().st_ino for file in environment.glob("lib/python3*/site-packages/*.dist-info/METADATA")}
    known = (cache / "archive-v0").glob("*/*.dist-info/METADATA")
    return [file.parents[1] for file in known if file.stat().st_ino in installed]
