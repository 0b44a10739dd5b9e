"""Two ways to have Ray on the same hosts: ``cai_deploy`` and Ray's own ``ray up`` with its provider ``local``.

Both are driven from this machine by their real commands, and watched from outside (``ray_eye.py``). ``ray up`` calls
``ray stop`` on hosts, which ends every Ray that it sees: hosts have process numbers of their own, and that is checked.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import layout
from cai_deploy.project.environment import build_environment
from tests.e2e.conftest import REPOSITORY, Ran, Shell
from tests.e2e.ssh_hosts import SshHosts
from tests.e2e.ssh_people import SMALL, owner

EYE = Path(__file__).with_name("ray_eye.py")
NODES = 3
HEAD, WORKER, OTHER = 1, 2, 3
"""The numbers of the hosts."""

EVERYWHERE = "nodes"
"""The name of the environment that every host sees."""

AUTOSCALER_V2 = "0"
"""With Ray 2.60's own choice, "1", the head never starts more than one of several workers (ray#59905)."""

STORE = 322_122_547
RAYS = ("site-packages/ray/", "ray::", "bin/ray start")
"""By which a process of Ray is known on a host."""

WORKSTATION = """\
set -e
mount --make-rprivate /
mount --bind {home}/tmp /tmp
exec "$@"
"""


class HostsWithHomes(SshHosts):
    """Hosts of which each has the user's home for itself: ``ray up`` puts a private key there."""

    def switch_on(self, number: int) -> None:
        super().switch_on(number)
        above = self.home / str(number)
        for each in ("written", "work"):
            (above / each).mkdir(exist_ok=True)
        path = (
            f"export PATH={self.home / layout.environment_dir(EVERYWHERE)}/bin:$PATH\n"  # where `ray down` wants `ray`
        )
        for each in (".bashrc", ".profile"):  # what they do on this machine takes its time at every command
            (above / "written" / each).write_text(path)
        layers = f"lowerdir=/root,upperdir={above}/written,workdir={above}/work"
        done = self.inside(number, f"mount -t overlay overlay -o {layers} /root")
        assert not done.returncode, done.stderr


class Contender(ABC):
    """One way to have Ray on the hosts."""

    name: str

    def __init__(self, hosts: SshHosts, environment: Path) -> None:
        self.hosts = hosts
        self.environment = environment

    @property
    def address(self) -> str:
        """Where the GCS is."""
        return f"{self.hosts.address(HEAD)}:6379"

    @property
    def token(self) -> str:
        """The file of the cluster's token, "" where there is none."""
        return ""

    @abstractmethod
    def up(self, timeout: float = 900) -> Ran:
        """Have the cluster, whatever there is; the very command that a person types."""

    @abstractmethod
    def down(self) -> Ran:
        """Have nothing."""

    @abstractmethod
    def up_too_many(self) -> Ran:
        """Ask for one worker more than the hosts have room for."""

    @abstractmethod
    def up_with_a_wrong_key(self, timeout: float) -> Ran:
        """With a key that opens no host."""

    @abstractmethod
    def get_ready(self) -> None:
        """Have the environment stand on the hosts, where nothing runs."""

    @abstractmethod
    def come_back_after_boots(self) -> None:
        """Do what the documentation says of hosts that boot."""

    def timed_up(self) -> float:
        """Seconds from the command until the GCS lists all nodes ALIVE."""
        argv = [self.environment / "bin/python", EYE, "alive", self.address, str(NODES), self.token]
        eye = subprocess.Popen(argv, env=self._environ(), stdout=subprocess.PIPE, text=True)
        try:
            began = time.time()
            self.up()
            told, _ = eye.communicate(timeout=400)
            return float(json.loads(told)) - began
        finally:
            eye.kill()

    def whole(self) -> bool:
        """Whether a task runs on each of the hosts now."""
        there = self._ask("whole", str(NODES))
        return there is not None and len(set(json.loads(there))) == NODES

    def count(self) -> int | None:
        """How often the actor on the second host was asked; None where it does not answer."""
        told = self._ask("count", self.hosts.address(WORKER))
        return None if told is None else int(told)

    def kill_ray(self, number: int, part: str = "") -> None:
        """Have all of Ray on a host, or the processes with ``part`` in their commands, die at once."""
        listed = self.hosts.inside(number, "ps -e -ww -o pid=,args=").stdout.splitlines()
        found = [line.split(None, 1) for line in listed]
        victims = [pid for pid, command in found if any(each in command for each in RAYS) and part in command]
        assert victims, f"no Ray on host {number}: {listed}"
        self.hosts.inside(number, f"kill -KILL {' '.join(victims)}")

    def left(self) -> list[str]:
        """The processes on the hosts."""
        return [each for number in self.hosts.numbers for each in self.hosts.processes(number)]

    def _ask(self, *question: str) -> str | None:
        environ = " ".join(f"{name}={value}" for name, value in self._secrets().items())
        words = " ".join([question[0], self.address, *question[1:]])
        try:
            done = self.hosts.inside(HEAD, f"{environ} timeout 40 {self.environment}/bin/python {EYE} {words}")
        except subprocess.TimeoutExpired:
            return None
        return done.stdout.strip().splitlines()[-1] if done.returncode == 0 and done.stdout.strip() else None

    def _environ(self) -> dict[str, str]:
        return {**os.environ, **self._secrets()}

    def _secrets(self) -> dict[str, str]:
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": self.token} if self.token else {}


class Ours(Contender):
    """``cai_deploy``, with environments that stand on the hosts already."""

    name = "cai_deploy"

    def __init__(self, hosts: SshHosts, environment: Path) -> None:
        super().__init__(hosts, environment)
        entries = [
            hosts.entry(number, cpu=1, **({"groups": ["head"]} if number == HEAD else {})) for number in hosts.numbers
        ]
        self._entries = entries
        self.shell: Shell = owner(hosts, entries)
        self._aside = hosts.home / "aside"

    @property
    def token(self) -> str:
        return str(self.hosts.directory(HEAD) / layout.token_file("ray"))

    def up(self, timeout: float = 900) -> Ran:
        return self.shell.run("launch", timeout=timeout)

    def down(self) -> Ran:
        return self.shell.run("down")

    def come_back_after_boots(self) -> None:
        self.shell.ok("boot", "--install", "--yes")

    def up_too_many(self) -> Ran:
        return self.shell.run("launch", "--workers", str(NODES))

    def up_with_a_wrong_key(self, timeout: float) -> Ran:
        wrong = [{**each, "identity_file": str(self.hosts.home / "1" / "host_key")} for each in self._entries]
        self._specify(wrong)
        try:
            return self.shell.run("launch", timeout=timeout)
        finally:
            self._specify(self._entries)

    def put_aside(self) -> None:
        """Keep the environments that hosts have built: ``down`` takes them away."""
        for number in self.hosts.numbers:
            _link(self._environments(number), self._aside / str(number))

    def get_ready(self) -> None:
        for number in self.hosts.numbers:
            _link(self._aside / str(number), self._environments(number))

    def _environments(self, number: int) -> Path:
        return self.hosts.directory(number) / Path(layout.environment_dir("any")).parent

    def _specify(self, entries: list[dict[str, object]]) -> None:
        self.shell.commit("cai-deploy.yaml", json.dumps({**SMALL, "hosts": entries}))


@dataclass(frozen=True)
class Workstation:
    """Where ``ray up`` is typed: this machine, with a home, a ``/tmp`` and process numbers of its own."""

    home: Path
    environment: Path

    def run(self, *argv: str, timeout: float) -> Ran:
        """Run one of Ray's commands; status 124 when it was still at it."""
        for each in ("tmp", "home"):
            (self.home / each).mkdir(parents=True, exist_ok=True)
        environ = {**os.environ, "HOME": str(self.home / "home"), "TMPDIR": "/tmp", "NO_COLOR": "1"}
        environ["PATH"] = f"{self.environment}/bin:/usr/local/bin:/usr/bin:/bin"
        environ["RAY_UP_enable_autoscaler_v2"] = AUTOSCALER_V2
        walls = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c"]
        command = [*walls, WORKSTATION.format(home=self.home), "bash", *argv]
        out, err = self.home / "out", self.home / "err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = 124
        print(f"$ {' '.join(argv)}\n{out.read_text()}{err.read_text()}(status {status})")
        return Ran(status, out.read_text(), err.read_text())


class RayUp(Contender):
    """``ray up`` with the provider ``local``, an environment that stands there, and no setup commands."""

    name = "ray up"

    def __init__(self, hosts: SshHosts, environment: Path) -> None:
        super().__init__(hosts, environment)
        self._station = Workstation(hosts.home / "workstation", environment)

    def get_ready(self) -> None:
        """It is there: nobody takes it away."""

    def come_back_after_boots(self) -> None:
        """Its documentation says nothing of them."""

    def up(self, timeout: float = 900) -> Ran:
        return self._up(self.hosts.identity, NODES - 1, timeout)

    def down(self) -> Ran:
        return self._station.run("ray", "down", "-y", str(self._file(self.hosts.identity, NODES - 1)), timeout=900)

    def up_too_many(self) -> Ran:
        return self._up(self.hosts.identity, NODES, 900)

    def up_with_a_wrong_key(self, timeout: float) -> Ran:
        return self._up(self.hosts.home / "1" / "host_key", NODES - 1, timeout)

    def _up(self, key: Path, workers: int, timeout: float) -> Ran:
        for number in self.hosts.numbers:
            inside = self.hosts.inside(number, "readlink /proc/self/ns/pid").stdout.strip()
            assert inside not in ("", str(Path("/proc/self/ns/pid").readlink())), "`ray stop` would end others' Ray"
        file = self._file(key, workers)
        return self._station.run("ray", "up", "-y", "--no-config-cache", str(file), timeout=timeout)

    def _file(self, key: Path, workers: int) -> Path:
        start = f"--num-cpus=1 --object-store-memory={STORE} --disable-usage-stats"
        ray = f"export PATH={self.environment}/bin:$PATH RAY_USAGE_STATS_REPORT_URL=http://127.0.0.1:9; ray"
        config = {
            "cluster_name": "compared",
            "provider": {
                "type": "local",
                "head_ip": self.hosts.address(HEAD),
                "worker_ips": [self.hosts.address(WORKER), self.hosts.address(OTHER)],
            },
            "auth": {"ssh_user": "root", "ssh_private_key": str(key)},
            "min_workers": workers,
            "max_workers": workers,
            "head_start_ray_commands": [
                f"{ray} stop",
                f"{ray} start --head --port=6379 {start} --autoscaling-config=~/ray_bootstrap_config.yaml",
            ],
            "worker_start_ray_commands": [f"{ray} stop", f"{ray} start --address=$RAY_HEAD_IP:6379 {start}"],
        }
        file = self.hosts.home / "ray-up.yaml"
        file.write_text(json.dumps(config))
        return file


def environment_for_all(hosts: SshHosts) -> Path:
    """The locked environment, once more, where every host sees it."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    build_environment(hosts.home, REPOSITORY / "requirements/cluster.txt", python, EVERYWHERE)
    return hosts.home / layout.environment_dir(EVERYWHERE)


def _link(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-al", str(source), str(target)], check=True)
