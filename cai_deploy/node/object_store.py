"""Where a node's object store lies and how large it is, by what the pod has. Pure.

It belongs into shared memory. A pod may have little of that (64 MB where nobody asked for more): then the store is as
large as fits, as Ray puts what is too much on disk by itself. Where not even Ray's smallest store fits, all of it lies
on disk, which is slow, and said loudly; but no node has to die of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cai_deploy.node_settings import SMALLEST_OBJECT_STORE

SHARED_MEMORY_SHARE = 0.9
DISK_SHARE = 0.25
"""Of what is free. The rest is for the objects that Ray spills, for its logs, and for everybody else."""

MB = 1024**2


@dataclass(frozen=True)
class ObjectStore:
    """``size`` in bytes. ``directory`` is None for shared memory. ``warning`` is "" when all is as it was wanted."""

    size: int
    directory: Path | None = None
    warning: str = ""

    @property
    def words(self) -> list[str]:
        """The arguments of ``ray start``."""
        # A directory that is given is taken as it is: Ray would refuse to choose one for more than 10 GB.
        where = [f"--plasma-directory={self.directory}"] if self.directory else []
        return [f"--object-store-memory={self.size}", *where]


def fitting_store(wanted: int, shared_memory: int, disk: int, directory: Path) -> ObjectStore:
    """A store of ``wanted`` bytes, given the free bytes in /dev/shm and on the disk of ``directory``."""
    fits = int(shared_memory * SHARED_MEMORY_SHARE)
    if fits >= wanted:
        return ObjectStore(wanted)
    lack = f"warning: /dev/shm has {shared_memory // MB} MB free, the object store wants {wanted // MB} MB"
    fix = f"raise the project's shared memory limit to at least {_needed(wanted)} MB"
    if fits >= SMALLEST_OBJECT_STORE:
        return ObjectStore(fits, warning=f"{lack}: it gets {fits // MB} MB, what is more goes to disk; {fix}")
    size = max(min(wanted, int(disk * DISK_SHARE)), SMALLEST_OBJECT_STORE)
    return ObjectStore(size, directory, f"{lack}: it lies on disk with {size // MB} MB, and is slow; {fix}")


def _needed(wanted: int) -> int:
    return int(wanted / SHARED_MEMORY_SHARE / MB) + 1
