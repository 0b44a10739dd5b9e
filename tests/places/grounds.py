"""The places that the contract is shown on: a local workspace, a Slurm with machines, a Docker of its own, hosts.

All are used by the command line alone. What a ground adds is what no command can do: strike a node, and look for what
is left when everything should be gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.e2e.conftest import Shell, people
from tests.e2e.private_docker import PrivateDocker, private_docker, someone
from tests.e2e.slurm_machines import SlurmMachines, slurm_machines
from tests.e2e.slurm_people import processes_in, researcher
from tests.e2e.ssh_hosts import SshHosts, ssh_hosts
from tests.e2e.ssh_people import owner

SMALL = """
head: {cpu: 1, memory_gb: 1.5}
workers: [{replicas: 1, cpu: 1, memory_gb: 1}]
timeouts: {launch: 480, join: 240, stop: 10}
"""

ON_SLURM = """
place: slurm
"""


class Ground(Protocol):
    """A person at a shell, and the place under their cluster. ``name`` is what commands call the place."""

    name: str
    shell: Shell

    def agent_of(self, node: str) -> int:
        """The process of a node's agent; 0 when there is none."""
        ...

    def leftovers(self) -> list[str]:
        """What is there and should not be once the cluster is down."""
        ...


@dataclass
class Cai:
    """Cloudera AI, as the local workspace."""

    shell: Shell
    name: str = "cai"

    def agent_of(self, node: str) -> int:
        """The process of a node's agent."""
        return agent(node, str(self.shell.home))

    def leftovers(self) -> list[str]:
        """Processes: a workspace that was started for one command ends with the cluster."""
        return [str(pid) for pid in self.shell.processes()]


@dataclass
class Slurm:
    """A Slurm with machines."""

    shell: Shell
    slurm: SlurmMachines
    name: str = "slurm"

    def agent_of(self, node: str) -> int:
        """The process of a node's agent."""
        return agent(node, str(self.shell.checkout))

    def leftovers(self) -> list[str]:
        """Jobs, and processes on any machine."""
        jobs = self.slurm.command("squeue", "--noheader", "--format=%i %j %T").splitlines()
        return [*jobs, *processes_in(self.shell.checkout)]


@dataclass
class Compose:
    """A Docker."""

    shell: Shell
    docker: PrivateDocker
    name: str = "compose"

    def agent_of(self, node: str) -> int:
        """The process of a node's agent."""
        return agent(node, str(self.shell.checkout))

    def leftovers(self) -> list[str]:
        """Containers, networks that Docker does not make by itself, and volumes."""
        asked = [("ps", "--all", "--format={{.Names}}"), ("volume", "ls", "--quiet")]
        networks = ("network", "ls", "--quiet", "--filter=type=custom")
        return [line for command in (*asked, networks) for line in self.docker.run("docker", *command).splitlines()]


@contextlib.contextmanager
def cai() -> Iterator[Ground]:
    """A local workspace of one's own."""
    with people() as make:
        yield Cai(make(specification=SMALL))


@contextlib.contextmanager
def slurm() -> Iterator[Ground]:
    """A Slurm of one's own."""
    with slurm_machines(3) as machines:
        yield Slurm(researcher(machines, specification=f"{ON_SLURM}{SMALL}"), machines)


@contextlib.contextmanager
def compose() -> Iterator[Ground]:
    """A Docker of one's own."""
    with private_docker() as docker:
        yield Compose(someone(docker, SMALL), docker)


@dataclass
class Ssh:
    """Plain hosts, a directory of their own on each."""

    shell: Shell
    hosts: SshHosts
    name: str = "ssh"

    def agent_of(self, node: str) -> int:
        """The process of a node's agent."""
        return agent(node, str(self.hosts.home))

    def leftovers(self) -> list[str]:
        """Processes on any host, and files but for what nodes wrote last."""
        files = [file for number in self.hosts.numbers for file in self.hosts.files(number)]
        processes = [process for number in self.hosts.numbers for process in self.hosts.processes(number)]
        return [*processes, *(file for file in files if not file.startswith(".cai-deploy/logs/"))]


@contextlib.contextmanager
def ssh() -> Iterator[Ground]:
    """Hosts of one's own."""
    with ssh_hosts(3) as hosts:
        entries = [hosts.entry(1, groups=["head"]), hosts.entry(2, cpu=1), hosts.entry(3, cpu=1)]
        yield Ssh(owner(hosts, entries, workers=[{"replicas": 1, "cpu": 1, "memory_gb": 1}]), hosts)


def agent(node: str, mark: str) -> int:
    """The process that runs a node's agent, among those that have ``mark`` in their variables; 0 for none."""
    for process in Path("/proc").iterdir():
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            environ = (process / "environ").read_bytes()
        except OSError:
            continue
        ours = mark.encode() in environ and f"CAI_DEPLOY_NODE={node}\0".encode() in environ
        if ours and b"cai_deploy.node" in command and b"python" in command[0]:
            return int(process.name)
    return 0


def strike(pid: int) -> None:
    """End one process, which has no time to say anything."""
    os.kill(pid, signal.SIGKILL)
