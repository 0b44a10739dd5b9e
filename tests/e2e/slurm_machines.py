"""A Slurm with machines of their own: each has its address, its processes, its name and its memory for sharing.

They share the host's file system, as the machines of a real one share some directory; a machine's ``/tmp`` and
``/dev/shm`` are its own. The host is the login node, and the bridge between them all leads nowhere else. It needs root.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.private_slurm import PrivateSlurm, missing
from tests.free_ports import free_port
from tests.polling import eventually

COUNT = 4

GPUS = ("/dev/zero", "/dev/full")
"""What the last machine has for GPUs. Slurm counts device files, and asks nothing of them."""

CGROUPS = Path("/sys/fs/cgroup")

MACHINE = """\
set -e
hostname {name}
mount -t tmpfs -o size=2g tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
for group in {groups}; do mount --bind {cgroups}/$group/{name} {cgroups}/$group; done
{slurmd} -D -N {name} -f {configuration} &
wait
wait
"""


def unavailable() -> str:
    """Why there can be none here; "" when there can."""
    if os.geteuid() != 0:
        return "needs root, to give each machine a network of its own"
    absent = [*missing(), *(each for each in ("ip", "nsenter", "unshare") if not shutil.which(each))]
    if absent:
        return f"needs Slurm with machines: {', '.join(absent)} not found"
    tried = subprocess.run(["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "true"])
    return "this host lets nobody make namespaces" if tried.returncode else ""


class SlurmMachines(PrivateSlurm):
    """Started by :func:`slurm_machines`. Machines count from 1; all names on the host are of this run alone."""

    def __init__(self, home: Path, count: int = COUNT) -> None:
        super().__init__(home)
        self._mark = f"s{secrets.token_hex(2)}"
        self._network = ""
        self._numbers = range(1, count + 1)
        # Version 2 gives a controller to one hierarchy alone; where the freezer is missing, processes are told by their
        # parents.
        self._groups = ["freezer"] if (CGROUPS / "freezer").is_dir() else []

    def name(self, number: int) -> str:
        """What Slurm calls a machine."""
        return f"{self._mark}n{number}"

    def address(self, number: int) -> str:
        """Where a machine is; 0 is the login node."""
        return f"{self._network}.{number + 1}"

    def number_of(self, machine: str) -> int:
        """The number of a machine by its name."""
        return int(machine.removeprefix(f"{self._mark}n"))

    def has_gpus(self, number: int) -> bool:
        """Whether a machine has some."""
        return number == self._numbers[-1]

    def kill_machine(self, number: int) -> None:
        """As when its power fails: every process of it is gone at once."""
        process = self._running.pop(self.name(number))
        process.kill()
        process.wait()

    def start_machine(self, number: int) -> None:
        """Switch a machine on, for the first time or again."""
        name = self.name(number)
        for group in self._groups:
            (CGROUPS / group / name).mkdir(exist_ok=True)
        script = MACHINE.format(
            name=name,
            groups=" ".join(self._groups),
            cgroups=CGROUPS,
            slurmd=self._find("slurmd"),
            configuration=self.configuration,
        )
        walls = ["unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._spawn(name, "nsenter", f"--net=/run/netns/{name}", *walls, "bash", "-c", script)

    def cut(self, number: int) -> None:
        """Pull a machine's cable."""
        ip("link", "set", self.name(number), "down")

    def mend(self, number: int) -> None:
        """Put a machine's cable back."""
        ip("link", "set", self.name(number), "up")

    def processes(self, number: int) -> list[str]:
        """The command lines of what runs on a machine, but for its own programs."""
        return [command for pid, command in self._inside(number) if pid != 1 and "slurmd" not in command.split(" ")[0]]

    def inside(self, number: int, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program on a machine, as root."""
        init = self._init(number)
        command = ["nsenter", f"--target={init}", "--net", "--uts", "--mount", "--pid", *argv]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def stop(self) -> None:
        """Switch the machines off, end the programs, and take away what was made on the host."""
        for number in self._numbers:
            if self.name(number) in self._running:
                self.kill_machine(number)
        for process in reversed(self._running.values()):
            self._end(process)
        for number in self._numbers:
            with contextlib.suppress(subprocess.CalledProcessError):
                ip("netns", "delete", self.name(number))
            self._remove_groups(self.name(number))
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("link", "delete", self._mark)

    def _setup(self) -> dict[str, object]:
        self._network = free_network()
        self._make_network()
        machines = [
            f"NodeName={self.name(number)} NodeAddr={self.address(number)} CPUs=4 RealMemory=4000{gpus} State=UNKNOWN"
            for number in self._numbers
            for gpus in [f" Gres=gpu:{len(GPUS)}" if self.has_gpus(number) else ""]
        ]
        gpus = f"NodeName={self.name(self._numbers[-1])} Name=gpu File={','.join(GPUS)}\n"
        (self.home / "gres.conf").write_text(gpus, encoding="utf-8")
        groups = "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainRAMSpace=no\nConstrainCores=no\n"
        (self.home / "cgroup.conf").write_text(groups, encoding="utf-8")
        return {
            "controller": f"localhost({self.address(0)})",
            "controller_port": free_port(),
            "machine_port": 6818,
            "tracking": "proctrack/cgroup" if self._groups else "proctrack/linuxproc",
            "tasks": "task/none",
            "patience": 20,
            "machines": "\n".join(["GresTypes=gpu", *machines]),
        }

    def _make_network(self) -> None:
        ip("link", "add", self._mark, "type", "bridge")
        ip("address", "add", f"{self.address(0)}/24", "dev", self._mark)
        ip("link", "set", self._mark, "up")
        for number in self._numbers:
            name = self.name(number)
            ip("netns", "add", name)
            ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", name, "master", self._mark, "up")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "address", "add", f"{self.address(number)}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            # An agent asks which address it would use to talk to others, and Ray too.
            ip("-n", name, "route", "add", "default", "via", self.address(0))

    def _start_machines(self) -> None:
        (self.home / "machine").mkdir()
        for number in self._numbers:
            (self.home / "machine" / self.name(number)).mkdir()
            self.start_machine(number)

    def _init(self, number: int) -> int:
        """The process, as the host numbers it, in which a machine's processes have their first one."""
        parent = self._running[self.name(number)].pid
        return int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0])

    def _inside(self, number: int) -> list[tuple[int, str]]:
        """What runs on a machine, by its own numbers."""
        listed = self.inside(number, "ps", "-e", "-ww", "-o", "pid=,args=").stdout.splitlines()
        found = [line.split(None, 1) for line in listed]
        return [(int(pid), command) for pid, command in found if not command.startswith("ps -e")]

    def _remove_groups(self, name: str) -> None:
        for group in self._groups:
            top = CGROUPS / group / name
            within = sorted((each for each in top.rglob("*") if each.is_dir()), reverse=True)
            for directory in (*within, top):
                eventually(lambda directory=directory: _removed(directory))


def _removed(directory: Path) -> bool:
    """A group goes when the last process in it is gone, which the kernel tells a moment late."""
    with contextlib.suppress(OSError):
        directory.rmdir()
    return not directory.exists()


def ip(*arguments: str) -> str:
    """Run ``ip``."""
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


def free_network() -> str:
    """The first three numbers of a network that no other program on this host has."""
    taken = ip("-4", "address", "show") + ip("route", "show")
    while True:
        network = f"10.{100 + secrets.randbelow(100)}.{secrets.randbelow(256)}"
        if f" {network}." not in taken:
            return network


@contextlib.contextmanager
def slurm_machines(count: int = COUNT) -> Iterator[SlurmMachines]:
    """One that runs. Its directory is not below ``/tmp``, of which each machine has one of its own."""
    home = Path(tempfile.mkdtemp(prefix="slurm-", dir="/var/tmp"))
    home.chmod(0o711)
    slurm = SlurmMachines(home, count)
    try:
        try:
            slurm.start()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{slurm.told()}") from error
        yield slurm
    finally:
        slurm.stop()
        shutil.rmtree(home, ignore_errors=True)
