"""What a pod's first processes do, between the fork in the kubelet and the end of the pod.

An isolated pod is a guard (in the kubelet's PID namespace), below it PID 1 of the pod, below it the workload. A plain
pod is a first process that adopts orphans, and below it the workload. Whoever is first has the duties of PID 1:
reap zombies, pass SIGTERM on, and leave nothing behind when the workload has ended. SIGUSR1 means "end everything
now".
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from cai_deploy.local_workspace.kubelet import kernel, members, network
from cai_deploy.local_workspace.kubelet.messages import PodSpec

_OURS = {signal.SIGTERM, signal.SIGUSR1}
COULD_NOT_START = 125


def fork_pod() -> int:
    """As ``os.fork``, with a pod's signals held back in the child: one that is sent at once must find the workload, and
    not the kubelet's own handlers, which heed none."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
    pid = -1
    try:
        pid = os.fork()
        return pid
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def become_pod(spec: PodSpec, *, ready: int, go: int, isolated: bool) -> NoReturn:
    """Goes on from ``fork_pod`` and never returns. ``ready`` tells the kubelet that the namespaces are there, ``go``
    that the cable is."""
    try:
        _leave_the_kubelet(spec.log, keep={ready, go})
        if isolated:
            _isolated(spec, ready, go)
        kernel.signal_on_parents_death(signal.SIGUSR1)
        kernel.adopt_orphans()
        _first_process(spec, isolated=False)
    except BaseException:  # noqa: BLE001 - a forked child must never come back into the kubelet's loop
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(COULD_NOT_START)


def _leave_the_kubelet(log: str, keep: set[int]) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for source, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors, not paths
        if int(name) > 2 and int(name) not in keep:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _isolated(spec: PodSpec, ready: int, go: int) -> NoReturn:
    kernel.signal_on_parents_death(signal.SIGKILL)
    kernel.unshare(kernel.NEW_NETWORK | kernel.NEW_HOSTNAME | kernel.NEW_PIDS)
    os.write(ready, b"1")
    if os.read(go, 1) != b"1":
        os._exit(COULD_NOT_START)
    first = os.fork()
    if first:
        _guard(first, spec.scratch)
    kernel.signal_on_parents_death(signal.SIGKILL)
    os.close(ready)
    os.close(go)
    # Mounts are the workload's alone: the guard, which cleans up, must go on seeing the machine's own /tmp.
    kernel.unshare(kernel.NEW_MOUNTS)
    kernel.make_mounts_private()
    kernel.mount("proc", "/proc")
    kernel.mount("tmpfs", "/dev/shm", f"size={spec.shm_bytes},mode=1777")  # noqa: S108 - the pod's own
    if spec.scratch:
        _own_tmp(spec.scratch, spec.keep)
    if spec.hostname:
        socket.sethostname(spec.hostname[:63])
        _name_myself(spec.hostname, spec.address)
    network.configure_pod(spec.address)
    _first_process(spec, isolated=True)


def _own_tmp(scratch: str, keep: list[str]) -> None:
    """A /tmp of its own: programs that use fixed paths there (Ray is one) must not meet those of other pods."""
    kept = [(Path(path), os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in keep]
    kernel.show_instead(scratch, "/tmp")  # noqa: S108
    for path, descriptor in kept:
        path.mkdir(parents=True, exist_ok=True)
        kernel.show_instead(f"/proc/self/fd/{descriptor}", str(path))
    Path(scratch).mkdir(mode=0o700)


def _name_myself(hostname: str, address: str) -> None:
    """The pod's host name leads to the pod's address, as it does in a real one; there is no DNS to ask."""
    draft = Path("/dev/shm/hosts")  # noqa: S108 - the pod's own, made a moment ago
    draft.write_text(f"127.0.0.1 localhost\n::1 localhost\n{address} {hostname}\n", encoding="utf-8")
    draft.chmod(0o644)
    kernel.show_instead(str(draft), "/etc/hosts")
    draft.unlink()


def _guard(first: int, scratch: str) -> NoReturn:
    signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGTERM))
    signal.signal(signal.SIGUSR1, lambda *_: os.kill(first, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
    code = exit_code(os.waitpid(first, 0)[1])
    _clean(scratch)
    os._exit(code)


def _first_process(spec: PodSpec, *, isolated: bool) -> NoReturn:
    workload = os.fork()
    if workload == 0:
        _exec(spec)
    # Both signals stay blocked until here, so that one sent early finds the workload.
    signal.signal(signal.SIGTERM, lambda *_: _send(workload, signal.SIGTERM))
    signal.signal(signal.SIGUSR1, lambda *_: members.end_all(lambda: members.descendants(os.getpid())))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
    code = 128 + signal.SIGKILL
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == workload:
                code = exit_code(status)
                break
    signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
    # The end of a PID namespace's first process is the end of the others anyway. Elsewhere what is left of the workload
    # has been adopted, so that who has no child need not look through all processes of the machine for it.
    if not isolated and _has_children():
        members.end_all(lambda: members.descendants(os.getpid()) | members.marked(spec.env[members.WORKLOAD_ID]))
    if not isolated:
        _clean(spec.scratch)
    os._exit(code)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _exec(spec: PodSpec) -> NoReturn:
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
        os.chdir(spec.cwd)
        os.execve(spec.argv[0], spec.argv, spec.env)  # noqa: S606 - this is what a pod is
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(COULD_NOT_START)


def _clean(scratch: str) -> None:
    if scratch:
        shutil.rmtree(scratch, ignore_errors=True)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def exit_code(status: int) -> int:
    """A wait status as a shell shows it: the exit code, or 128 + signal."""
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
