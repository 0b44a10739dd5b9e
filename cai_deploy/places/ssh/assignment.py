"""Which host each node is on. Pure: the same wishes on the same hosts give the same answer.

A node that is somewhere stays there as long as its host takes it. A new one goes where most is free, so that hosts fill
evenly. What no host has room for is an error that names each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cai_deploy.places.ssh.errors import HostsFull
from cai_deploy.spec import HEAD, HeadGroup, WorkerGroup
from cai_deploy.ssh_hosts import SshHost, head_host

Group = HeadGroup | WorkerGroup


@dataclass(frozen=True)
class Room:
    """What a host offers to nodes. ``why_not`` is why it takes no new ones now, "" when it does."""

    host: SshHost
    cpu: float
    gpu: int
    why_not: str = ""


@dataclass
class _Left:
    room: Room
    cpu: float
    gpu: int
    nodes: int = 0

    def has_room_for(self, group: Group) -> bool:
        return not self.room.why_not and self.cpu >= group.cpu and self.gpu >= group.gpu

    def take(self, group: Group) -> None:
        self.cpu -= group.cpu
        self.gpu -= group.gpu
        self.nodes += 1


def assign(
    wanted: Sequence[tuple[str, Group]], rooms: Sequence[Room], there: Mapping[str, str], *, optional: bool = False
) -> dict[str, str]:
    """The host of each node, by name; ``there`` is where nodes are now. Raises HostsFull.

    Those that are ``optional`` and have no room are left out instead.
    """
    left = {room.host.name: _Left(room, room.cpu, room.gpu) for room in rooms}
    placed: dict[str, str] = {}
    for name, group in wanted:
        host = left.get(there.get(name, ""))
        if host and _takes(host.room.host, group, rooms):
            placed[name] = host.room.host.name
            host.take(group)
    for name, group in wanted:
        if name in placed:
            continue
        able = [each for each in left.values() if _takes(each.room.host, group, rooms) and each.has_room_for(group)]
        if able:
            best = max(able, key=lambda each: (each.cpu, each.gpu, -each.nodes))
            placed[name] = best.room.host.name
            best.take(group)
        elif not optional:
            raise HostsFull(name, _needs(group), [_why_not(each, group, rooms) for each in left.values()])
    return placed


def _takes(host: SshHost, group: Group, rooms: Sequence[Room]) -> bool:
    """The head has one host, whatever else is free: its files stand there."""
    if group.name == HEAD:
        return host == head_host(tuple(room.host for room in rooms), HEAD)
    return host.takes(group.name)


def _needs(group: Group) -> str:
    return f"{group.cpu:g} CPUs" + (f" and {group.gpu} GPUs" if group.gpu else "")


def _why_not(left: _Left, group: Group, rooms: Sequence[Room]) -> str:
    host = left.room.host
    if not _takes(host, group, rooms):
        return f"{host.name} does not take {group.name}"
    if left.room.why_not:
        return f"{host.name} {left.room.why_not}"
    gpus = f" and {left.gpu} of {left.room.gpu} GPUs" if group.gpu else ""
    return f"{host.name} has {left.cpu:g} of {left.room.cpu:g} CPUs{gpus} left"
