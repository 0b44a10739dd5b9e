"""Reading a cluster: from all hosts at once what runs there, from the head's its files, from its head what Ray says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from cai_deploy import layout
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConfigError
from cai_deploy.places import ray_status
from cai_deploy.places.node_groups import launcher_files, own_scripts
from cai_deploy.places.ray_status import RayView
from cai_deploy.places.ssh import placement
from cai_deploy.places.ssh.connections import Connections
from cai_deploy.places.ssh.control import Control, HostState
from cai_deploy.places.ssh.crowd import Answers, ask_all
from cai_deploy.places.ssh.errors import HostUnreachable
from cai_deploy.places.ssh.ground import paths_of
from cai_deploy.places.ssh.marks import owner_of
from cai_deploy.places.ssh.members import joined, ours, strangers, to_node, unseen
from cai_deploy.places.ssh.observation import SshObservation
from cai_deploy.places.ssh.placement import Placement
from cai_deploy.places.ssh.records import Record
from cai_deploy.places.ssh.sftp_files import SftpFiles
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.places.written import parse_applied, parse_connection
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.ssh_hosts import SshHost, head_host
from cai_deploy.state import DRAINED, Home, Node


class ClusterReader:
    """Reads clusters whose lock file and scripts are in ``checkout``. ``known`` are the hosts that it met, by name."""

    def __init__(self, connections: Connections, control: Control, checkout: Path, door: TokenDoor) -> None:
        self.known: dict[str, SshHost] = {}
        self._connections = connections
        self._control = control
        self._checkout = checkout
        self._door = door

    def observe(self, spec: ClusterSpec) -> SshObservation:
        """The cluster that ``spec`` names. Raises HostUnreachable for the head's host, and what hosts refuse."""
        head = self.head_of(spec)
        found = self._ask(spec, spec.hosts)
        if head.name in found.silent:
            raise HostUnreachable(head.name, f"{found.silent[head.name]}. The files of cluster {spec.name} are there")
        texts = found.done[head.name].texts
        applied = parse_applied(texts.get(layout.applied_spec_file(spec.name)))
        placed = placement.parse(texts.get(layout.placement_file(spec.name)))
        named = {host.name for host in spec.hosts}
        others = {host.name: host for host in (*placed.hosts, *(applied.hosts if applied else ()))}
        more = self._ask(spec, tuple(host for name, host in others.items() if name not in named))
        hosts, silent = {**found.done, **more.done}, {**found.silent, **more.silent}
        return self._put_together(spec, applied, placed, hosts, silent, head)

    def head_of(self, spec: ClusterSpec) -> SshHost:
        """The host of the head."""
        head = head_host(spec.hosts, HEAD)
        if head is None:
            raise ConfigError("hosts: none takes the head", next_step="name the hosts that nodes are to run on")
        return head

    def files(self, spec: ClusterSpec, directory: str) -> SftpFiles:
        """The files of the cluster on the head's host, in ``directory``."""
        return SftpFiles(self._connections, self.head_of(spec), directory)

    def _ask(self, spec: ClusterSpec, hosts: tuple[SshHost, ...]) -> Answers[HostState]:
        self.known.update({host.name: host for host in hosts})
        files = paths_of([*launcher_files(spec), *own_scripts(spec)], spec.name)
        cluster = spec.name
        texts = (layout.applied_spec_file(cluster), layout.placement_file(cluster), layout.connection_file(cluster))
        return ask_all(hosts, lambda host: self._control.status(host, spec.name, files, texts))

    def _put_together(
        self,
        spec: ClusterSpec,
        applied: ClusterSpec | None,
        placed: Placement,
        hosts: Mapping[str, HostState],
        silent: Mapping[str, str],
        head: SshHost,
    ) -> SshObservation:
        owner = owner_of(head, spec.name)
        records = list(ours(hosts, spec.name, owner))
        file = _connection(spec.name, hosts[head.name], [record for _, record in records])
        view = self._look(spec, file, hosts[head.name]) if file else RayView()
        door = file.dashboard_address if file else ""
        nodes = [
            to_node(host, record, view, spec, door, is_drained=self._is_drained(record, view))
            for host, record in sorted(records, key=lambda each: placed.nodes.get(each[1].node) != each[0])
        ]
        groups = [group.name for group in (applied or spec).groups]
        there = (*nodes, *self._unseen(placed, silent, nodes, groups))
        return SshObservation(
            nodes=there,
            joined=tuple(joined(view, {node.name for node in there}, door)),
            connection=_with_url(view.connection or file) if file else None,
            strangers=strangers(hosts, owner),
            requirements=self._read(spec.environment.requirements),
            scripts={path: text for path in own_scripts(spec) if (text := self._read(path)) is not None},
            applied_spec=applied,
            home=Home(hosts[head.name].directory, f"on {head.name}"),
            epoch=max((record.epoch for _, record in records), default=0),
            hosts=hosts,
            silent=silent,
            placement=placed,
        )

    def _unseen(
        self, placed: Placement, silent: Mapping[str, str], nodes: list[Node], groups: list[str]
    ) -> Iterator[Node]:
        yield from unseen(placed.nodes, silent, {node.name for node in nodes}, groups)

    def _look(self, spec: ClusterSpec, file: ConnectionInfo, head: HostState) -> RayView:
        files = self.files(spec, head.directory)
        token = layout.token_file(spec.name)
        self._door.opens_with(file.dashboard_address, lambda: (files.read_text(token) or "").strip())
        return ray_status.look(self._door, file.dashboard_address)

    def _is_drained(self, record: Record, view: RayView) -> bool:
        """Ray remembers a drained node under its name: only the node's own agent knows whether it is that one."""
        ray = view.nodes.get(record.node)
        if ray is None or ray.state != DRAINED or not record.lives:
            return False
        return ray_status.says_drained(self._door, f"{record.address}:{record.port}")

    def _read(self, path: str) -> str | None:
        try:
            return (self._checkout / path).read_text(encoding="utf-8")
        except OSError:
            return None


def _with_url(told: ConnectionInfo) -> ConnectionInfo:
    """With the URL of the dashboard, which is reached where the head itself is."""
    return told if told.dashboard_url else replace(told, dashboard_url=f"http://{told.dashboard_address}")


def _connection(cluster: str, head: HostState, records: list[Record]) -> ConnectionInfo | None:
    """Where the head is, None while it has not said so: what one before it wrote is no help."""
    record = next((each for each in records if each.node == HEAD and each.lives and each.launched), None)
    told = parse_connection(head.texts.get(layout.connection_file(cluster))) if record else None
    if record is None or told is None:
        return None
    try:
        written = datetime.fromisoformat(told.started_at.replace("Z", "+00:00"))
    except ValueError:
        return None
    written = written if written.tzinfo else written.replace(tzinfo=timezone.utc)
    return told if written.timestamp() >= math.floor(record.launched) else None
