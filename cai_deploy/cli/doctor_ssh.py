"""What ``doctor`` looks at where nodes are processes of hosts: each host, how they fit, the ways between them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from cai_deploy.cli.checks import Agree, Check
from cai_deploy.cli.doctor_leftovers import leftovers
from cai_deploy.errors import DeployError
from cai_deploy.node_settings import OBJECT_STORE_SHARE
from cai_deploy.places.ssh.build import on
from cai_deploy.places.ssh.connections import Connections
from cai_deploy.places.ssh.control import Control, HostState
from cai_deploy.places.ssh.environments import common_python
from cai_deploy.places.ssh.marks import owner_of
from cai_deploy.places.ssh.observation import SshObservation
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.ssh_hosts import SshHost, head_host

SKEW = 30.0
"""Seconds by which clocks may differ before people read logs in the wrong order."""

DISK = 8 * 10**9
"""Bytes that an environment with Ray, and its logs, should find free."""

LISTENING = 8.0
MOST_WORKER_PORTS = 5

OK = "ok"
ACCEPTED = ("something else answers", "it accepts and says nothing")
"""Of a port that a program of the host's own has."""


def look_at(spec: ClusterSpec, connections: Connections, agree: Agree = lambda _: False) -> Iterator[Check]:
    """Whether the cluster can be launched on its hosts from here; what ``agree`` agrees to is ended there."""
    control = Control(connections)
    hosts: dict[str, HostState] = {}
    asked = time.time()
    for host, state in zip(spec.hosts, _states(spec, control), strict=True):
        if isinstance(state, DeployError):
            yield Check.failed(f"host {host.name}", state)
            continue
        hosts[host.name] = state
        yield Check(f"host {host.name}", f"Python {state.python}, {state.cpu} CPUs, {state.gpu} GPUs")
        yield from fitness(host, state, spec, skew=state.time - asked)
    head = head_host(spec.hosts, HEAD)
    if head is None:
        return
    for host in spec.hosts:
        if host.name in hosts:
            yield from leftovers(host, spec, owner_of(head, spec.name), control, agree)
    if head.name not in hosts:
        return
    try:
        yield Check("python", f"{common_python(spec, hosts, hosts, head.name)} on all of them")
    except DeployError as error:
        yield Check.failed("python", error)
    yield from ways(spec, head, hosts, control)


def fitness(host: SshHost, state: HostState, spec: ClusterSpec, *, skew: float) -> Iterator[Check]:
    """What is wrong with a host that answers; nothing for one that is well."""
    if abs(skew) > SKEW:
        told = f"{abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
        error = DeployError(told, next_step="have it keep time (NTP)")
        yield Check.failed(f"clock of {host.name}", error)
    if state.disk < DISK:
        error = DeployError(
            f"{state.disk / 1e9:.1f} GB are free for {state.directory}", next_step="make room, or set `directory`"
        )
        yield Check.failed(f"disk of {host.name}", error)
    largest = max((group.memory_gb for group in spec.groups if host.takes(group.name)), default=0.0)
    needed = largest * 1e9 * OBJECT_STORE_SHARE
    if state.shm < needed:
        error = DeployError(
            f"{state.shm / 1e9:.1f} GB of shared memory are free, and a node takes {needed / 1e9:.1f} GB",
            next_step="make /dev/shm larger, or give the group less memory_gb",
        )
        yield Check.failed(f"shared memory of {host.name}", error)
    ended = [record.node for record in state.nodes if not record.lives]
    if ended:
        left = DeployError(
            f"{', '.join(ended)} of cluster {spec.name} ended there",
            next_step="`launch` starts them again, `down` removes what they left",
        )
        yield Check.failed(f"nodes of {host.name}", left)


def ways(spec: ClusterSpec, head: SshHost, hosts: Mapping[str, HostState], control: Control) -> Iterator[Check]:
    """Between the head's host and each of the others, both ways, on the ports that are known beforehand."""
    there = [host for host in spec.hosts if host.name in hosts]
    pairs = [pair for other in there if other != head for pair in ((other, head), (head, other))]
    request = {"ports": known_ports(spec), "seconds": LISTENING}
    seen = SshObservation(hosts=hosts)

    def listen(host: SshHost) -> list[int]:
        held: list[int] = control.ask(host, "listen", spec.name, request, program="host_echo")["held"]
        return held

    def knock(pair: tuple[SshHost, SshHost]) -> Mapping[str, str]:
        asked = {**request, "address": on(pair[1], seen).address, "seconds": LISTENING / 2}
        found: Mapping[str, str] = control.ask(pair[0], "knock", spec.name, asked, program="host_echo")["found"]
        return found

    with ThreadPoolExecutor(max(len(there) + len(pairs), 1)) as pool:
        listening = {host.name: pool.submit(listen, host) for host in there}
        knocking = [pool.submit(knock, pair) for pair in pairs]
        for (source, target), found in zip(pairs, knocking, strict=True):
            name = f"way from {source.name} to {target.name}"
            try:
                closed = closed_ports(found.result(), listening[target.name].result())
            except DeployError as error:
                yield Check.failed(name, error)
                continue
            if closed:
                told = DeployError(closed, next_step="open them: python -m cai_deploy ports --open-commands")
                yield Check.failed(name, told)
            else:
                yield Check(name, f"bytes come back on {len(found.result())} ports")


def closed_ports(found: Mapping[str, str], held: Sequence[int]) -> str:
    """Which ports do not carry bytes, and how that shows; "" when all do. One that is held is open if it accepts."""
    wrong = [
        f"{port}: {how}" for port, how in found.items() if how not in (OK, *(ACCEPTED if int(port) in held else ()))
    ]
    return f"port {', '.join(wrong)}" if wrong else ""


def known_ports(spec: ClusterSpec) -> list[int]:
    """The GCS's port, and those that are pinned; of a range of workers' the first few."""
    numbers = spec.ports.known()
    pinned = {numbers[name] for name in spec.ports.pinned() if not name.startswith("worker_")}
    first, last = numbers.get("worker_min"), numbers.get("worker_max")
    workers = range(first, min(last + 1, first + MOST_WORKER_PORTS)) if first and last else range(0)
    return sorted({numbers["gcs"], *pinned, *workers})


def _states(spec: ClusterSpec, control: Control) -> list[HostState | DeployError]:
    def state(host: SshHost) -> HostState | DeployError:
        try:
            return control.status(host, spec.name)
        except DeployError as error:
            return error

    with ThreadPoolExecutor(max(len(spec.hosts), 1)) as pool:
        return list(pool.map(state, spec.hosts))
