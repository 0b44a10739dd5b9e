"""Whether a directory's file system is fit for a database, found by trying: locks exclude, syncs work, renames replace.

A project directory is shared over a network, and what is mounted there is nobody's promise to us. Two processes of one
pod cannot find out whether a lock also excludes another machine, so mount options that say it does not are looked up.
It knows nothing of what is going to be kept there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from pathlib import Path

from cai_deploy.errors import CommandFailed
from cai_deploy.shell import run

MOUNTS = Path("/proc/self/mountinfo")

LOCAL_LOCKS = ("nolock", "local_lock=all", "local_lock=posix")
"""NFS: locks that exclude nobody on other machines."""

TRY_TO_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("refused")
"""
TRY_TIMEOUT = 30.0


def why_unfit(directory: Path, mounts: Path = MOUNTS) -> str:
    """What is wrong with ``directory`` for a database that one process at a time may write; "" when it is fit."""
    trial, other = (directory / f".trial-{os.getpid()}{suffix}" for suffix in ("", ".new"))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return _lock_story(trial) or _rename_story(trial, other) or _mount_story(directory, mounts)
    except (OSError, CommandFailed) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        for path in (trial, other):
            with contextlib.suppress(OSError):
                path.unlink()


def _lock_story(trial: Path) -> str:
    with trial.open("w+b") as file:
        file.write(b"old")
        file.flush()
        os.fsync(file.fileno())
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another process, as a process never excludes itself. Bare, so that it takes no more than its start.
        tried = run([sys.executable, "-I", "-S", "-c", TRY_TO_LOCK, str(trial)], timeout=TRY_TIMEOUT)
    return "" if "refused" in tried.stdout else "a lock does not keep another process out"


def _rename_story(trial: Path, other: Path) -> str:
    other.write_bytes(b"new")
    other.replace(trial)
    descriptor = os.open(trial.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return "" if trial.read_bytes() == b"new" and not other.exists() else "a rename does not replace a file"


def _mount_story(directory: Path, mounts: Path) -> str:
    options = _nfs_options(directory.resolve(), mounts)
    told = next((option for option in options if option in LOCAL_LOCKS), "")
    return f"it is mounted with {told}: locks keep no other machine out" if told else ""


def _nfs_options(path: Path, mounts: Path) -> list[str]:
    """The options of the mount that ``path`` is on, when that is NFS."""
    best, found = -1, list[str]()
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        # "36 35 98:0 /root /mount/point options ... - type source options", spaces in paths as \040
        front, _, back = line.partition(" - ")
        point = Path(front.split()[4].replace("\\040", " "))
        if path.is_relative_to(point) and len(point.parts) >= best:
            kind, _, options = back.split(maxsplit=2)
            best, found = len(point.parts), options.split(",") if kind.startswith("nfs") else []
    return found
