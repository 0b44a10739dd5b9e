"""Asking a host for what only a program on it can do: the host control is sent along, so nothing has to be there yet.

What comes back is read into values here; what follows from it is decided elsewhere.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cai_deploy.places.ssh.connections import Connections
from cai_deploy.places.ssh.errors import HostTrouble, HostUnfit
from cai_deploy.places.ssh.programs import LOADER, program_text
from cai_deploy.places.ssh.records import Record, record_of
from cai_deploy.shell import last_lines
from cai_deploy.ssh_hosts import SshHost

NOT_FOUND = (126, 127)
LOOK = 20.0
CHANGE = 60.0


@dataclass(frozen=True)
class HostState:
    """A host as it is now. ``files`` are digests ("" for none) and ``texts`` what stands in files, by their paths."""

    directory: str
    python: str
    cpu: int
    gpu: int
    address: str
    disk: int
    shm: int
    time: float
    code: frozenset[str]
    environments: frozenset[str]
    files: Mapping[str, str]
    texts: Mapping[str, str | None]
    nodes: tuple[Record, ...]


class Control:
    """What can be asked of any host of one cluster."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def status(self, host: SshHost, cluster: str, files: Sequence[str] = (), texts: Sequence[str] = ()) -> HostState:
        """What the host is, and what of the cluster is on it. Raises what connecting does, HostUnfit, HostTrouble."""
        answer = self.ask(host, "status", cluster, {"files": list(files), "texts": list(texts)}, timeout=LOOK)
        try:
            return HostState(
                directory=answer["directory"],
                python=answer["python"],
                cpu=answer["cpu"],
                gpu=answer["gpu"],
                address=answer["address"],
                disk=answer["disk"],
                shm=answer["shm"],
                time=answer["time"],
                code=frozenset(answer["code"]),
                environments=frozenset(answer["environments"]),
                files=answer["files"],
                texts=answer["texts"],
                nodes=tuple(record_of(each) for each in answer["nodes"]),
            )
        except (KeyError, TypeError) as error:
            raise HostTrouble(host.name, "read what stands there", f"{error} is missing in the answer") from error

    def ask(
        self,
        host: SshHost,
        verb: str,
        cluster: str,
        request: Mapping[str, Any],
        payload: bytes = b"",
        *,
        timeout: float = CHANGE,
        program: str = "host_control",
    ) -> dict[str, Any]:
        """What a ``program`` of ours answers that is sent along. Raises as ``status`` does."""
        text = program_text(program)
        body = json.dumps({**request, "cluster": cluster, "directory": host.directory_of(cluster)}).encode()
        stdin = b"%d\n%b%b\n%b" % (len(text), text, body, payload)
        command = f"{shlex.quote(host.python)} -c {shlex.quote(LOADER)} {verb}"
        done = self._connections.run(host, command, stdin, timeout=timeout)
        if done.status in NOT_FOUND:
            raise HostUnfit(
                host.name,
                f"{host.python} cannot be run there",
                last_lines(done.stderr, 3),
                "install Python 3.10 or newer on it, or set `python` of the host to its path",
            )
        if done.status:
            raise HostTrouble(host.name, f"do `{verb}`", last_lines(done.stderr, 5) or f"status {done.status}")
        return _answer(host, verb, done.stdout)


def _answer(host: SshHost, verb: str, told: bytes) -> dict[str, Any]:
    """The last line: what a login shell prints by itself comes before it."""
    lines = told.decode("utf-8", errors="replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (ValueError, IndexError) as error:
        raise HostTrouble(host.name, f"do `{verb}`", f"its answer is not readable: {lines[-1:]}") from error
    if not isinstance(answer, dict):
        raise HostTrouble(host.name, f"do `{verb}`", "its answer is no object")
    return answer
