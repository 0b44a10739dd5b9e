"""From the records of hosts to nodes, and to what stands for those on hosts that do not answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from cai_deploy.node.joined import JOINED
from cai_deploy.places.node_groups import role_of
from cai_deploy.places.ray_status import RayNode, RayView, drain_request
from cai_deploy.places.ssh.control import HostState
from cai_deploy.places.ssh.records import Record
from cai_deploy.places.ssh.states import state_of
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.state import ALIVE, DRAINED, DRAINING, Node, NodeState

ADDRESS = "address"
"""Under which key a request to the head has its host and port."""

NOT_LISTED = RayNode("", "")

AT_ONCE = 1.0
"""Seconds for the work of a node that goes with its whole cluster."""


def ours(hosts: Mapping[str, HostState], cluster: str, owner: str) -> Iterator[tuple[str, Record]]:
    """The records that carry our mark, each with its host."""
    for name, state in hosts.items():
        for record in state.nodes:
            if (record.cluster, record.owner) == (cluster, owner):
                yield name, record


def strangers(hosts: Mapping[str, HostState], owner: str) -> frozenset[str]:
    """Names of nodes that live under another owner's mark."""
    records = (record for state in hosts.values() for record in state.nodes)
    return frozenset(record.node for record in records if record.lives and record.owner != owner)


def to_node(host: str, record: Record, view: RayView, spec: ClusterSpec, door: str, *, is_drained: bool) -> Node:
    """One node as its host and Ray show it; ``door`` is where the head is asked."""
    state, reason = state_of(record)
    ray = _in_ray(record, view, is_drained=is_drained) if state is NodeState.RUNNING else NOT_LISTED
    can_drain = view.agent and record.node != HEAD and state is NodeState.RUNNING
    return Node(
        name=record.node,
        role=role_of(record.node),
        group=record.group,
        state=state,
        native_id=native_id(host, record.pid),
        fingerprint=record.fingerprint,
        address=ray.address or record.address,
        ray_state=ray.state,
        facts={"host": host, "address": record.address},
        idle=ray.idle,
        drain=drain_request({ADDRESS: door}, record.node, spec.update.drain) if can_drain else None,
        reason=reason,
    )


def unseen(placement: Mapping[str, str], silent: Mapping[str, str], seen: set[str], groups: list[str]) -> list[Node]:
    """Nodes on hosts that do not answer: nobody knows how they are, so they are neither there nor gone."""
    return [
        Node(
            name=name,
            role=role_of(name),
            group=next((group for group in groups if name.rpartition("-")[0] == group), name),
            state=NodeState.UNKNOWN,
            native_id=native_id(host, 0),
            fingerprint="",
            facts={"host": host},
            reason=silent[host],
        )
        for name, host in placement.items()
        if host in silent and name not in seen
    ]


def joined(view: RayView, others: Set[str], door: str) -> Iterator[Node]:
    """The nodes that machines have brought by themselves, as Ray lists them; ``others`` are those of the hosts."""
    for name, ray in view.nodes.items():
        if ray.group == JOINED and name not in others and ray.state in (ALIVE, DRAINING):
            yield Node(
                name=name,
                role="worker",
                group=JOINED,
                state=NodeState.RUNNING,
                native_id=_process(ray),
                fingerprint="",
                address=ray.address,
                ray_state=ray.state,
                idle=ray.idle,
                drain=drain_request({ADDRESS: door}, name, AT_ONCE),
            )


def native_id(host: str, pid: int) -> str:
    """What a person finds a node's process by."""
    return f"{pid or '?'}@{host}"


def _process(ray: RayNode) -> str:
    """The same, as the node itself says it."""
    number, _, machine = ray.process.partition(".")
    return f"{number}@{machine}" if machine else native_id(ray.address, 0)


def host_of(native_id: str) -> str:
    """The host in it."""
    return native_id.partition("@")[2]


def _in_ray(record: Record, view: RayView, *, is_drained: bool) -> RayNode:
    """What Ray says of this very process: it remembers those before it that had its name."""
    ray = view.nodes.get(record.node, NOT_LISTED)
    another = ray.epoch not in (0, record.epoch) or (ray.state == DRAINED and not is_drained)
    return NOT_LISTED if another else ray
