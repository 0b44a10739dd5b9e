"""spec + observation -> everything wanted, each with the request that would make it. Pure; nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace

from cai_deploy.errors import ConfigError
from cai_deploy.membership import choose_members
from cai_deploy.places.locked_requirements import require_lock
from cai_deploy.places.node_groups import launcher_of, own_scripts, settings_of
from cai_deploy.places.ssh import groundwork
from cai_deploy.places.ssh.assignment import Group, Room, assign
from cai_deploy.places.ssh.environments import common_python, minor, needed
from cai_deploy.places.ssh.node_requests import GroupPlan, On, Where, wanted_node
from cai_deploy.places.ssh.observation import SshObservation
from cai_deploy.places.ssh.placement import Placement
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.ssh_hosts import SshHost
from cai_deploy.state import Limits, Rollout, Wanted, WantedGround, WantedNode


@dataclass(frozen=True)
class Draft:
    """What a specification comes to on its hosts; requests follow from it. ``placed`` is the host of each node."""

    spec: ClusterSpec
    seen: SshObservation
    where: Where
    head: SshHost
    python: str
    environments: Mapping[str, str]
    plans: Mapping[str, GroupPlan]
    placed: Mapping[str, str]
    nodes: tuple[tuple[str, Group], ...]
    spares: tuple[tuple[str, Group], ...]

    @property
    def used(self) -> list[str]:
        """The hosts that have to be ready for nodes, that of the head first; those that are silent cannot be."""
        return [name for name in dict.fromkeys(self.placed.values()) if name in self.seen.hosts]

    def ground(self) -> tuple[WantedGround, ...]:
        """What must stand before nodes can, in the order in which it is needed."""
        spec, hosts = self.spec, self.used
        rendered = [plan.launcher for plan in self.plans.values() if plan.launcher]
        locked = self.seen.requirements or ""
        return (
            groundwork.code(self.where.code, hosts),
            *groundwork.environments(
                spec, self.environments.values(), locked, minor(self.python), self.where.code, hosts
            ),
            *groundwork.launchers(rendered, self.seen.scripts, hosts),
            *((groundwork.token(spec.name, hosts),) if spec.authentication == "token" else ()),
            groundwork.placement(spec.name, self._on_the_way(), self.head.name),
            groundwork.specification(spec, self.head.name),
        )

    def records(self) -> tuple[WantedGround, ...]:
        """What is written down once all is reached."""
        placed = groundwork.placement(self.spec.name, self._placement(self._members), self.head.name)
        return (replace(placed, kind="record"), groundwork.record(self.spec, self.environments, self.head.name))

    def wanted(self, nodes: tuple[tuple[str, Group], ...]) -> tuple[WantedNode, ...]:
        """Those of ``nodes`` that have a host. Of one on a host that is silent, nothing can be compared."""
        hosts = {host.name: host for host in self.spec.hosts}
        found = []
        for name, group in nodes:
            if host := hosts.get(self.placed.get(name, "")):
                want = wanted_node(name, self.plans[group.name], on(host, self.seen), self.where)
                silent = host.name in self.seen.silent
                found.append(replace(want, fingerprint="", facts={}) if silent else want)
        return tuple(found)

    @property
    def _members(self) -> dict[str, str]:
        """Without spares, which are there only when they are seen."""
        return {name: self.placed[name] for name, _ in self.nodes if name in self.placed}

    def _on_the_way(self) -> Placement:
        """Where nodes are, were and are to be: it only grows while a change is under way, and so is written once."""
        there = {node.name: str(node.facts["host"]) for node in self.seen.nodes}
        return self._placement({**self.seen.placement.nodes, **there, **self._members}, also=set(there.values()))

    def _placement(self, names: Mapping[str, str], also: Set[str] = frozenset()) -> Placement:
        before = self.seen.placement.hosts
        hosts = {host.name: host for host in (*before, *self.spec.hosts)}
        kept = {*names.values(), *also} | ({host.name for host in before} if also else set())
        return Placement(names, tuple(host for name, host in sorted(hosts.items()) if name in kept))


def draft(spec: ClusterSpec, seen: SshObservation, where: Where, head: SshHost) -> Draft:
    """What ``spec`` comes to on hosts that look so. Raises ConfigError when it cannot be there; HostsFull is one."""
    missing = sorted(own_scripts(spec) - set(seen.scripts))
    if missing:
        raise ConfigError(f"script: {', '.join(missing)} is not here", next_step="name one that is in this directory")
    require_lock(spec, seen.requirements, looked=True, where="this directory")
    members = choose_members(spec, seen.nodes)
    placed = place(spec, seen, members.nodes, members.spares)
    python = common_python(spec, seen.hosts, placed.values(), head.name)
    environments = needed(spec, seen.requirements, python)
    address = f"{on(head, seen).address}:{spec.ports.gcs}"
    plans = {plan.group.name: plan for plan in _group_plans(spec, environments, address)}
    return Draft(spec, seen, where, head, python, environments, plans, placed, members.nodes, members.spares)


def build(drafted: Draft) -> Wanted:
    """Everything that was drafted."""
    spec = drafted.spec
    return Wanted(
        drafted.ground(),
        drafted.wanted(drafted.nodes),
        drafted.wanted(drafted.spares),
        {group.name: Rollout.of(group, spec.update) for group in spec.workers},
        drafted.records(),
        Limits.of(spec),
    )


def place(
    spec: ClusterSpec, seen: SshObservation, nodes: tuple[tuple[str, Group], ...], spares: tuple[tuple[str, Group], ...]
) -> dict[str, str]:
    """The host of each node; spares are left out where no room is left for them. Raises HostsFull."""
    there: dict[str, str] = {}
    for node in seen.nodes:
        there.setdefault(node.name, str(node.facts["host"]))
    placed = assign(nodes, rooms(spec, seen), there)
    pinned = {**there, **placed}
    both = assign((*nodes, *spares), rooms(spec, seen), pinned, optional=True)
    return {**both, **placed}


def rooms(spec: ClusterSpec, seen: SshObservation) -> list[Room]:
    """What each host offers: what the specification says of it, or else what it has."""
    return [_room(host, seen) for host in spec.hosts]


def on(host: SshHost, seen: SshObservation) -> On:
    """A host as nodes are put on it: where others reach it is said, or is the address at which SSH found it."""
    state = seen.hosts.get(host.name)
    told = state.address if state else ""
    return On(host, state.directory if state else "", host.bind or told or host.address)


def _room(host: SshHost, seen: SshObservation) -> Room:
    state = seen.hosts.get(host.name)
    if state is None:
        return Room(host, host.cpu or 0.0, host.gpu or 0, "does not answer")
    return Room(host, host.cpu or float(state.cpu), state.gpu if host.gpu is None else host.gpu)


def _group_plans(spec: ClusterSpec, environments: Mapping[str, str], head_address: str) -> Iterator[GroupPlan]:
    for group in spec.groups:
        settings = settings_of(group, spec, environments[group.name])
        # Workers are told the head's address before it is up, so its port must not move.
        settings = (
            replace(settings, pinned_ports=sorted({*settings.pinned_ports, "gcs"})) if group.name == HEAD else settings
        )
        yield GroupPlan(group, settings, launcher_of(group, spec, settings), head_address)
