"""Packs the generated client into the archive that ``pip install .../python.tar.gz`` takes.

The archive is the same, byte for byte, for the same contract. It brings the few lines that build its wheel along, so
that installing it needs nothing from anywhere else.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping


def pack(name: str, files: Mapping[str, str]) -> bytes:
    """A ``.tar.gz`` with everything below the directory ``name``."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, text in sorted(files.items()):
            content = text.encode()
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)
