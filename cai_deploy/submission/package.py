"""A working directory as one zip, the same bytes for the same files. It must not know which files, nor why.

Ray names a package by its content, so an unchanged one is not brought to the cluster twice.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from cai_deploy.errors import ConfigError

MEGABYTE = 1_000_000
LARGEST = 500
"""Megabytes. The GCS takes no message above 512 MiB, and a package is one message."""

SHOWN = 10
LONG_AGO = (1980, 1, 1, 0, 0, 0)
RUNNABLE, PLAIN = 0o755, 0o644


class TooLarge(ConfigError):
    """The files are more than may be sent."""


def write_package(files: Mapping[str, Path], target: Path, *, budget: float) -> int:
    """Pack ``files`` (by their paths in the package) into ``target``; their size in bytes. ``budget`` is in megabytes.

    Raises TooLarge, with the largest files, before anything is written.
    """
    sizes = {name: path.stat().st_size for name, path in files.items()}
    total = sum(sizes.values())
    if total > min(budget, LARGEST) * MEGABYTE:
        raise _too_large(sizes, total, budget)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = (RUNNABLE if os.access(files[name], os.X_OK) else PLAIN) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, files[name].read_bytes())
    return total


def in_megabytes(size: float) -> str:
    """A size in bytes, for people."""
    return f"{size / MEGABYTE:.1f} MB"


def _too_large(sizes: Mapping[str, int], total: int, budget: float) -> TooLarge:
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:SHOWN]
    lines = [f"{in_megabytes(sizes[name]):>10}  {name}" for name in largest]
    more = f"a larger budget: --max-size {int(total / MEGABYTE) + 1}; " if total <= LARGEST * MEGABYTE else ""
    return TooLarge(
        f"the working directory has {in_megabytes(total)} in {len(sizes)} files, above {min(budget, LARGEST):g} MB",
        why="\n".join(["the largest files:", *lines]),
        next_step=f"name what the job does not need in .gitignore or .rayignore; {more}"
        "data belongs into the project's files or an object store",
    )
