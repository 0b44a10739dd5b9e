"""Reading a cluster: its containers from Docker, its files from the directory, and what its head says of Ray."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cai_deploy import layout
from cai_deploy.connection import ConnectionInfo
from cai_deploy.places import ray_status
from cai_deploy.places.compose.answers import Container, Traits
from cai_deploy.places.compose.engine import Engine
from cai_deploy.places.compose.file import APP_PORT, REMOTE
from cai_deploy.places.compose.marks import owner_of
from cai_deploy.places.compose.observation import ComposeObservation
from cai_deploy.places.directory import DirectoryFiles
from cai_deploy.places.directory_ground import GroundInDirectory
from cai_deploy.places.node_groups import launcher_files, own_scripts
from cai_deploy.places.ray_status import RayNode, RayView, drain_request
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.places.written import parse_applied, parse_connection
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.state import Home, Node, NodeState

ADDRESS = "address"
"""Under which key a request to the head has its host and port."""

SHORT = 12
"""Characters of an id by which Docker itself shows containers."""

NOT_LISTED = RayNode("", "")


class ClusterReader:
    """Reads clusters whose directory is ``root``."""

    def __init__(self, engine: Engine, root: Path, door: TokenDoor) -> None:
        self._engine = engine
        self._root = root
        self._files = DirectoryFiles(root)
        self._door = door
        self._traits: Traits | None = None

    def observe(self, spec: ClusterSpec) -> ComposeObservation:
        """Containers, connection and files of the cluster that ``spec`` names. Raises what the engine does."""
        found = sorted(self._engine.containers(spec.name, owner_of(str(self._root))), key=lambda each: each.mark.number)
        applied = parse_applied(self._files.read_text(layout.applied_spec_file(spec.name)))
        file = parse_connection(self._files.read_text(layout.connection_file(spec.name)))
        address = published(applied or spec)
        view = self._ask(spec.name, address) if _head_runs(found) else RayView()
        told = view.connection or (file if _head_runs(found) else None)
        nodes = [(each, to_node(each, view, spec, address)) for each in found]
        ground = GroundInDirectory(self._root)
        return ComposeObservation(
            nodes=tuple(node for each, node in nodes if each.mark.group != REMOTE),
            guests=tuple(node for each, node in nodes if each.mark.group == REMOTE),
            connection=_from_here(told, applied or spec) if told else None,
            user=self._as_whom(),
            requirements=self._files.read_text(spec.environment.requirements),
            applied_spec=applied,
            home=Home(str(self._root), "on this machine"),
            missing_scripts=frozenset(path for path in own_scripts(spec) if not self._files.exists(path)),
            strange_files=frozenset(path for path in launcher_files(spec) if ground.strange(path)),
        )

    @property
    def rootless(self) -> bool:
        """Whether the engine is, which is asked once."""
        self._traits = self._traits or self._engine.traits()
        return self._traits.rootless

    def _as_whom(self) -> str:
        ourselves = os.getuid() == 0 or self.rootless
        return "" if ourselves else f"{os.getuid()}:{os.getgid()}"

    def _ask(self, cluster: str, address: str) -> RayView:
        token = layout.token_file(cluster)
        self._door.opens_with(address, lambda: (self._files.read_text(token) or "").strip())
        return ray_status.look(self._door, address)


def published(spec: ClusterSpec) -> str:
    """Where this machine finds the head's agent, which serves the dashboard too."""
    if spec.compose.address:
        return f"{spec.compose.address}:{APP_PORT}"
    return f"{spec.compose.asked_at}:{spec.ports.dashboard}"


def to_node(container: Container, view: RayView, spec: ClusterSpec, address: str) -> Node:
    """One container as a node. What Ray says counts only while the container runs, and if it says it of this start."""
    mark, state = container.mark, container.state
    ray = view.nodes.get(mark.node, NOT_LISTED) if state is NodeState.RUNNING else NOT_LISTED
    ray = NOT_LISTED if ray.epoch < int(container.started) else ray
    can_drain = view.agent and mark.node != HEAD and spec.update.drain > 0
    return Node(
        name=mark.node,
        role="head" if mark.node == HEAD else "worker",
        group=mark.group,
        state=state,
        native_id=container.id[:SHORT],
        fingerprint=mark.fingerprint,
        address=ray.address,
        ray_state=ray.state,
        idle=ray.idle,
        drain=drain_request({ADDRESS: address}, mark.node, spec.update.drain) if can_drain else None,
        reason=container.reason,
    )


def _head_runs(found: Sequence[Container]) -> bool:
    return any(each.mark.group == HEAD and each.state is NodeState.RUNNING for each in found)


def _from_here(told: ConnectionInfo, spec: ClusterSpec) -> ConnectionInfo:
    """With the addresses that are published, as those of containers lead nowhere from most other places."""
    address = published(spec)
    client = f"{spec.compose.address or spec.compose.asked_at}:{spec.ports.client}"
    return replace(told, dashboard_address=address, dashboard_url=f"http://{address}", client_address=client)
