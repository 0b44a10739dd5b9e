"""Reading a cluster: its jobs from Slurm's queue, its files from the directory, and what its head says of Ray."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cai_deploy import layout
from cai_deploy.connection import ConnectionInfo
from cai_deploy.places import ray_status
from cai_deploy.places.directory import DirectoryFiles
from cai_deploy.places.directory_ground import GroundInDirectory
from cai_deploy.places.node_groups import launcher_files, own_scripts
from cai_deploy.places.ray_status import RayView
from cai_deploy.places.slurm.marks import owner_of
from cai_deploy.places.slurm.members import Member, Members, how_they_ended, sort_out, to_node
from cai_deploy.places.slurm.observation import SlurmObservation
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.places.written import parse_applied, parse_connection
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Home, Node, NodeState

SKEW = timedelta(minutes=2)
"""By which the clocks of Slurm's controller and of the head's machine may differ."""


class ClusterReader:
    """Reads clusters whose directory is ``root``. ``members`` are the jobs that were seen last."""

    def __init__(self, queue: Queue, root: Path, door: TokenDoor, now: Callable[[], float] = time.time) -> None:
        self.members = Members((), (), ())
        self._queue = queue
        self._root = root
        self._files = DirectoryFiles(root)
        self._door = door
        self._now = now

    def observe(self, spec: ClusterSpec) -> SlurmObservation:
        """Jobs, connection and files of the cluster that ``spec`` names. Raises what the queue does."""
        self.members = members = sort_out(self._queue.of(spec.name, owner_of(str(self._root))))
        applied = parse_applied(self._files.read_text(layout.applied_spec_file(spec.name)))
        file = self._connection(spec.name, members.head)
        view = self._ask(spec.name, file) if file else RayView()
        address = file.dashboard_address if file else ""
        ground = GroundInDirectory(self._root)

        def node(member: Member) -> Node:
            return to_node(member, view, spec, address, self._now())

        return SlurmObservation(
            nodes=tuple(node(each) for each in members.living if not each.is_client),
            clients=tuple(node(each) for each in members.living if each.is_client),
            connection=_with_url(view.connection or file),
            ends=how_they_ended(members, str(self._root)) if applied else {},
            requirements=self._files.read_text(spec.environment.requirements),
            applied_spec=applied,
            home=Home(str(self._root), "on its machines"),
            missing_scripts=frozenset(path for path in own_scripts(spec) if not self._files.exists(path)),
            strange_files=frozenset(path for path in launcher_files(spec) if ground.strange(path)),
            epoch=max((each.mark.epoch for each in (*members.living, *members.heirs)), default=0),
        )

    def _connection(self, cluster: str, head: Member | None) -> ConnectionInfo | None:
        """Where the head is, None while it has not said so: what one before it wrote is no help."""
        if head is None or head.job.standing.state is not NodeState.RUNNING:
            return None
        told = parse_connection(self._files.read_text(layout.connection_file(cluster)))
        return told if told and _since(told, head.job.start_time) else None

    def _ask(self, cluster: str, file: ConnectionInfo) -> RayView:
        token = layout.token_file(cluster)
        self._door.opens_with(file.dashboard_address, lambda: (self._files.read_text(token) or "").strip())
        return ray_status.look(self._door, file.dashboard_address)


def _with_url(told: ConnectionInfo | None) -> ConnectionInfo | None:
    """With the URL of the dashboard, which is reached where the head itself is."""
    if told is None or told.dashboard_url:
        return told
    return replace(told, dashboard_url=f"http://{told.dashboard_address}")


def _since(told: ConnectionInfo, start: int | None) -> bool:
    """Whether it was written by a head that started at ``start``, which is not always told."""
    try:
        written = datetime.fromisoformat(told.started_at.replace("Z", "+00:00"))
    except ValueError:
        return True
    written = written if written.tzinfo else written.replace(tzinfo=timezone.utc)
    return not start or written >= datetime.fromtimestamp(start, timezone.utc) - SKEW
