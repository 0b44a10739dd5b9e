"""The few Linux calls that Python 3.10 does not offer: namespaces, mounts, and what happens when a parent dies.

Thin on purpose: each function is one system call, and raises OSError as its Python sisters do.
"""

from __future__ import annotations

import ctypes
import os
import socket

NEW_NETWORK = 0x40000000
NEW_MOUNTS = 0x00020000
NEW_HOSTNAME = 0x04000000
NEW_PIDS = 0x20000000

_MS_PRIVATE_RECURSIVE = 0x40000 | 0x4000
_MS_NOSUID_NODEV = 0x2 | 0x4
_MS_BIND_RECURSIVE = 0x1000 | 0x4000
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces of the parent for new ones (a new PID namespace counts for children only)."""
    _checked("unshare", flags)


def enter_network(fd: int) -> None:
    """Put this thread into the network namespace that ``fd`` stands for."""
    _checked("setns", fd, NEW_NETWORK)


def make_mounts_private() -> None:
    """Mounts made from here on are seen by nobody outside this mount namespace."""
    _checked("mount", b"none", b"/", None, _MS_PRIVATE_RECURSIVE, None)


def mount(kind: str, target: str, options: str = "") -> None:
    """Mount a kernel file system (``proc``, ``tmpfs``)."""
    _checked("mount", kind.encode(), target.encode(), kind.encode(), _MS_NOSUID_NODEV, options.encode() or None)


def show_instead(source: str, target: str) -> None:
    """Let ``target`` be ``source`` in this mount namespace (a bind mount)."""
    _checked("mount", source.encode(), target.encode(), None, _MS_BIND_RECURSIVE, None)


def signal_on_parents_death(number: int) -> None:
    """Ask for a signal when the parent dies, however it dies."""
    _checked("prctl", _PR_SET_PDEATHSIG, number, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every orphan below this process, as PID 1 is elsewhere."""
    _checked("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def socket_in_network_of(pid: int) -> socket.socket:
    """A TCP socket that belongs to the network namespace of ``pid``, wherever it is used afterwards."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        target = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter_network(target)
        finally:
            os.close(target)
        try:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            enter_network(own)
    finally:
        os.close(own)
