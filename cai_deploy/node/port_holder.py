"""Which program holds a port of this pod, as far as the kernel tells: by name and number, never by its command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

LISTENS = "0A"
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


def holder_of(port: int) -> str:
    """``python3 (process 12)``, or "" when nobody can tell: it is another user's, or another pod's with our network."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in Path("/proc").iterdir() if sockets else ():
        if process.name.isdigit() and sockets & set(_opened(process)):
            with contextlib.suppress(OSError):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _listening(port: int) -> Iterator[str]:
    for table in TABLES:
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                # number, local address, remote address, state ... the tenth is the socket's inode
                words = line.split()
                if words[3] == LISTENS and int(words[1].rpartition(":")[2], 16) == port:
                    yield words[9]


def _opened(process: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(descriptor.readlink())
