"""Plain hosts with an sshd: each has its address, its processes, its name, its memory for sharing, and fails alone.

They share this machine's file system, but for ``/tmp``, ``/run`` and ``/dev/shm``, and have a directory each below
``home``. We are on the bridge between them, which leads nowhere else: environments are built from what this machine has
downloaded before (see ``ray_environment``). It needs root.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.compiled_cache import compiled_cache
from tests.e2e.slurm_machines import free_network, ip
from tests.polling import eventually

SSHD = "/usr/sbin/sshd"

CONFIGURATION = """\
HostKey {home}/{number}/host_key
AuthorizedKeysFile {home}/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PidFile none
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
SetEnv UV_OFFLINE=1 UV_CACHE_DIR={cache} PATH={programs}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
"""

OWN = ("/tmp", "/run", "/dev")
"""What a host has for itself: nothing that we have there is there."""

MACHINE = """\
set -e
hostname {name}
mount -t tmpfs -o size=2g tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
[ ! -d {crontabs} ] || mount --bind {home}/{number}/crontabs {crontabs}
{sshd} -D -e -f {home}/{number}/sshd_config &
wait
"""


CRONTABS = "/var/spool/cron/crontabs"

CRONTAB = """\
#!/bin/sh
file={home}/crontab-$(hostname)
case "$1" in
-l) [ -e "$file" ] && exec cat "$file" ;;
-r) exec rm "$file" ;;
-) exec cat >"$file" ;;
esac
"""
"""Where this machine has none: what hosts use in its place."""

UV = Path(sys.executable).with_name("uv")
PYTHON = Path(sys.executable).resolve()
"""Not that of our own environment, which may be where hosts see nothing."""


def unavailable() -> str:
    """Why there can be none here; "" when there can."""
    if os.geteuid() != 0:
        return "needs root, to give each host a network of its own"
    absent = [each for each in (SSHD, "ssh-keygen", "ip", "nsenter", "unshare") if not shutil.which(each)]
    if absent:
        return f"needs hosts with sshd: {', '.join(absent)} not found"
    tried = subprocess.run(["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "true"])
    return "this host lets nobody make namespaces" if tried.returncode else ""


class SshHosts:
    """Started by :func:`ssh_hosts`. Hosts count from 1; all names on this machine are of this run alone."""

    def __init__(self, home: Path, count: int) -> None:
        self.home = home
        self.numbers = range(1, count + 1)
        self._mark = f"h{secrets.token_hex(2)}"
        self._network = free_network()
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def cache(self) -> Path:
        """Where uv keeps what was downloaded, and hosts see it."""
        usual = compiled_cache()
        return self.home / "cache" if any(usual.is_relative_to(own) for own in OWN) else usual

    @property
    def identity(self) -> Path:
        """The private key that opens all of them."""
        return self.home / "identity"

    def address(self, number: int) -> str:
        """Where a host is; 0 is this machine."""
        return f"{self._network}.{number + 1}"

    def directory(self, number: int) -> Path:
        """What a specification names as a host's directory."""
        return self.home / str(number) / "cluster"

    def entry(self, number: int, **more: object) -> dict[str, object]:
        """A host as a specification has it."""
        fields = {"address": self.address(number), "user": "root", "identity_file": str(self.identity)}
        return {**fields, "directory": str(self.directory(number)), "python": str(PYTHON), "cpu": 2, **more}

    def start(self) -> None:
        """Make the network and all hosts."""
        _keygen(self.identity)
        shutil.copy(self.identity.with_suffix(".pub"), self.home / "authorized_keys")
        (self.home / "programs").mkdir()
        shutil.copy(UV, self.home / "programs")
        if not shutil.which("crontab"):
            program = self.home / "programs" / "crontab"
            program.write_text(CRONTAB.format(home=self.home), encoding="utf-8")
            program.chmod(0o755)
        ip("link", "add", self._mark, "type", "bridge")
        ip("address", "add", f"{self.address(0)}/24", "dev", self._mark)
        ip("link", "set", self._mark, "up")
        for number in self.numbers:
            self._make(number)
            self.switch_on(number)

    def switch_on(self, number: int) -> None:
        """Start a host, for the first time or again."""
        name = self._name(number)
        script = MACHINE.format(name=name, sshd=SSHD, home=self.home, number=number, crontabs=CRONTABS)
        walls = ["unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        log = (self.home / str(number) / "log").open("ab")
        self._running[number] = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{name}", *walls, "bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        eventually(lambda: listens(self.address(number)), seconds=20)

    def switch_off(self, number: int) -> None:
        """As when its power fails: every process of it is gone at once."""
        if self._running[number].poll() is None:
            init = Path(f"/proc/{self._init(number)}/stat")
            self._running[number].kill()
            self._running[number].wait()
            eventually(lambda: ended(init), seconds=20)  # its first process is the last to go
        del self._running[number]

    def cut(self, number: int) -> None:
        """Pull a host's cable."""
        ip("link", "set", self._name(number), "down")

    def mend(self, number: int) -> None:
        """Put a host's cable back."""
        ip("link", "set", self._name(number), "up")

    def close(self, number: int, port: int) -> None:
        """As a firewall does that answers nothing."""
        self._filter("-A", number, port)

    def open(self, number: int, port: int) -> None:
        """What was closed."""
        self._filter("-D", number, port)

    def change_host_key(self, number: int) -> None:
        """As when it is set up anew."""
        self.switch_off(number)
        for key in (self.home / str(number)).glob("host_key*"):
            key.unlink()
        _keygen(self.home / str(number) / "host_key")
        self.switch_on(number)

    def files(self, number: int) -> list[str]:
        """What stands in a host's directory."""
        directory = self.directory(number)
        return sorted(str(each.relative_to(directory)) for each in directory.rglob("*") if not each.is_dir())

    def processes(self, number: int) -> list[str]:
        """The command lines of what runs on a host, but for its own programs."""
        init = self._init(number)
        listed = subprocess.run(
            ["nsenter", f"--target={init}", "--mount", "--pid", "ps", "-e", "-ww", "-o", "pid=,args="],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.splitlines()
        found = [line.split(None, 1) for line in listed]
        own = ("sshd:", SSHD, "ps", "bash -c set -e")
        return [command for pid, command in found if pid != "1" and not command.startswith(own)]

    def boot_lines(self, number: int) -> list[str]:
        """What a host's cron starts at a boot, from the crontab that outlives its processes."""
        lines = self.inside(number, f"PATH={self.home}/programs:$PATH crontab -l").stdout.splitlines()
        return [line.removeprefix("@reboot ") for line in lines if line.startswith("@reboot ")]

    def inside(self, number: int, command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a shell's command on a host, as it does so itself."""
        walls = ["--net", "--uts", "--mount", "--pid"]
        argv = ["nsenter", f"--target={self._init(number)}", *walls, "env", "-i", "PATH=/usr/bin:/bin", "HOME=/root"]
        return subprocess.run(
            [*argv, "sh", "-c", command], capture_output=True, text=True, timeout=timeout, check=False
        )

    def stop(self) -> None:
        """Switch the hosts off, and take away what was made on this machine."""
        for number in list(self._running):
            self.switch_off(number)
        for number in self.numbers:
            with contextlib.suppress(subprocess.CalledProcessError):
                ip("netns", "delete", self._name(number))
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("link", "delete", self._mark)

    def _filter(self, action: str, number: int, port: int) -> None:
        rule = [action, "INPUT", "-i", "eth0", "-p", "tcp", "--dport", str(port), "-j", "DROP"]
        subprocess.run(["ip", "netns", "exec", self._name(number), "iptables", *rule], check=True)

    def _name(self, number: int) -> str:
        return f"{self._mark}n{number}"

    def _make(self, number: int) -> None:
        (self.home / str(number) / "crontabs").mkdir(parents=True)
        _keygen(self.home / str(number) / "host_key")
        text = CONFIGURATION.format(home=self.home, number=number, cache=self.cache, programs=self.home / "programs")
        (self.home / str(number) / "sshd_config").write_text(text, encoding="utf-8")
        name = self._name(number)
        ip("netns", "add", name)
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", name, "master", self._mark, "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "address", "add", f"{self.address(number)}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "route", "add", "default", "via", self.address(0))

    def _init(self, number: int) -> int:
        """The process, as this machine numbers it, in which a host's processes have their first one."""
        parent = self._running[number].pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return int(children[0])


def ended(stat: Path) -> bool:
    """Whether the process is gone whose state can be read there, or waits to be forgotten."""
    with contextlib.suppress(OSError):
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def listens(address: str, port: int = 22) -> bool:
    """Whether an SSH server greets there."""
    try:
        with socket.create_connection((address, port), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)


@contextlib.contextmanager
def ssh_hosts(count: int = 3, kind: type[SshHosts] = SshHosts) -> Iterator[SshHosts]:
    """Hosts that run. Their directories are not below ``/tmp``, of which each has one of its own."""
    home = Path(tempfile.mkdtemp(prefix="hosts-", dir="/var/tmp"))
    hosts = kind(home, count)
    try:
        hosts.start()
        yield hosts
    finally:
        hosts.stop()
        shutil.rmtree(home, ignore_errors=True)
