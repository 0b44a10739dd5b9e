"""Groundwork on hosts: whether it stands on all that need it, and making it on those where it does not."""

from __future__ import annotations

import io
import json
import secrets
import shlex
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence

from cai_deploy import layout
from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.places.code import LEFT_OUT, PACKAGE
from cai_deploy.places.ssh.connections import Connections
from cai_deploy.places.ssh.control import Control, HostState
from cai_deploy.places.ssh.crowd import do_all
from cai_deploy.places.ssh.environments import RUNTIME
from cai_deploy.places.ssh.errors import HostTrouble
from cai_deploy.places.ssh.sftp_files import SftpFiles
from cai_deploy.project.environment import environment_name
from cai_deploy.shell import last_lines
from cai_deploy.ssh_hosts import SshHost
from cai_deploy.state import Ground, GroundState, Request, Step, WantedGround

FILES = ("requirements", "launcher", "script", "placement", "specification", "record")
ANOTHER = "another"
OWNERS_ALONE = 0o600
BYTES = 32

HostNamed = Callable[[str], SshHost]


class GroundOnHosts:
    """The groundwork of one cluster; ``named`` finds a host by its name."""

    def __init__(self, connections: Connections, control: Control, named: HostNamed, cluster: str) -> None:
        self._connections = connections
        self._control = control
        self._named = named
        self._cluster = cluster

    def look(self, wanted: Sequence[WantedGround], hosts: Mapping[str, HostState]) -> Iterator[Ground]:
        """How each of ``wanted`` stands on ``hosts``."""
        for want in wanted:
            found = {name: self._found(want, hosts[name], hosts) for name in want.request["hosts"]}
            missing = [name for name, what in found.items() if not what]
            others = [name for name, what in found.items() if what not in ("", want.fingerprint)]
            state = GroundState.ABSENT if missing else GroundState.READY
            reason = f"is not on {', '.join(missing)}" if missing else ""
            yield Ground(want.kind, want.name, state, ANOTHER if others else want.fingerprint, reason)

    def apply(self, step: Step, hosts: Mapping[str, HostState]) -> None:
        """Make it, on all hosts that lack it at once. Returns when it stands. Raises DeployError."""
        request = step.request or {}
        make: Callable[[SshHost], object]
        if step.kind == "code":
            archive = packed_code()
            lacking = [name for name in request["hosts"] if step.name not in hosts[name].code]
            do_all(map(self._named, lacking), lambda host: self._unpack(host, request["path"], archive))
            return
        if step.kind == "environment":
            lacking = [name for name in request["hosts"] if step.name not in hosts[name].environments]
            self._require_locked(request["build"], request["hosts"][0], hosts)
            make = lambda host: self._build(host, hosts[host.name].directory, request)  # noqa: E731
        elif step.kind == "token":
            token = self._token(request, hosts)
            lacking = list(request["hosts"])
            make = lambda host: self._files(host, hosts).upload(request["path"], token, OWNERS_ALONE)  # noqa: E731
        else:
            body = request["body"]
            lacking = list(request["hosts"])
            make = lambda host: self._files(host, hosts).upload(body["path"], body["content"].encode())  # noqa: E731
        do_all(map(self._named, lacking), make)

    def _found(self, want: WantedGround, host: HostState, hosts: Mapping[str, HostState]) -> str:
        """The fingerprint of what stands on a host, "" for nothing."""
        if want.kind == "code":
            return want.fingerprint if want.name in host.code else ""
        if want.kind == "environment":
            return want.fingerprint if want.name in host.environments else ""
        if want.kind == "token":
            path, first = want.request["path"], hosts[want.request["hosts"][0]]
            same = host.files.get(path) and host.files.get(path) == first.files.get(path)
            return want.fingerprint if same else ""
        return host.files.get(want.request["body"]["path"], "")

    def _unpack(self, host: SshHost, path: str, archive: bytes) -> None:
        self._control.ask(host, "unpack", self._cluster, {"path": path}, archive)

    def _require_locked(self, build: Request, first: str, hosts: Mapping[str, HostState]) -> None:
        """An environment that went is not built again from another lock file under its name."""
        text = self._files(self._named(first), hosts).read_text(build["requirements"]) or ""
        locked = environment_name(text, build["python"], RUNTIME)
        if build["environment"] != locked:
            raise ConfigError(
                f"{build['requirements']} makes {locked}, not {build['environment']}",
                why="the environment that is asked for is not on the hosts any more",
                next_step="run the same command again, without going back to what ran before",
            )

    def _build(self, host: SshHost, directory: str, request: Request) -> None:
        asked = json.dumps({**request["build"], "directory": directory, "seconds": request["seconds"]}).encode()
        code = shlex.quote(f"{directory}/{request['code']}")
        command = f"PYTHONPATH={code} {shlex.quote(host.python)} -m cai_deploy.project.on_host"
        done = self._connections.run(host, command, asked, timeout=request["seconds"])
        if done.status == 0:
            return
        try:
            told = json.loads(done.stdout.decode().strip().splitlines()[-1])
            error = DeployError(f"{host.name}: {told['what']}", why=told["why"], next_step=told["next_step"])
        except (ValueError, IndexError, KeyError, TypeError):
            error = HostTrouble(host.name, "build the environment", last_lines(done.stderr))
        raise error

    def _token(self, request: Request, hosts: Mapping[str, HostState]) -> bytes:
        """The one that the first host has, or else a new one."""
        there = self._files(self._named(request["hosts"][0]), hosts).read_text(request["path"])
        return (there or "").strip().encode() or secrets.token_hex(BYTES).encode()

    def _files(self, host: SshHost, hosts: Mapping[str, HostState]) -> SftpFiles:
        return SftpFiles(self._connections, host, hosts[host.name].directory)


def packed_code() -> bytes:
    """This program as an archive."""
    packed = io.BytesIO()

    def left_in(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if LEFT_OUT in member.name.split("/") else member

    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=3) as archive:
        archive.add(PACKAGE, PACKAGE.name, filter=left_in)
    return packed.getvalue()


def paths_of(wanted: Sequence[str], cluster: str) -> list[str]:
    """The files whose contents tell how groundwork stands: those of ``wanted``, and what every cluster has."""
    own = (
        layout.locked_file(cluster),
        layout.token_file(cluster),
        layout.placement_file(cluster),
        layout.applied_spec_file(cluster),
        layout.converged_spec_file(cluster),
    )
    return sorted({*wanted, *own})
