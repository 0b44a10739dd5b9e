"""Whether a workspace could ever give a cluster what it asks for: what does not fit waits in SCHEDULING for ever.

Pure, but for ``look``. What the workspace does not say is taken for enough: a launch is not refused on a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cai_deploy.api.client import Client
from cai_deploy.api.schemas import AcceleratorLabel, Quota, UserQuota
from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.spec import ClusterSpec, Resources
from cai_deploy.state import Node, NodeState

UNITS = {"cpu": "vCPU", "memory": "GB of memory", "gpu": "GPUs"}
GONE = (NodeState.STOPPED, NodeState.FAILED)

Amounts = Mapping[str, float]


@dataclass(frozen=True)
class Room:
    """``limits`` and ``used`` of the key's owner, where they are known; ``gpus`` are the kinds, None for unknown."""

    limits: Amounts = field(default_factory=dict)
    used: Amounts = field(default_factory=dict)
    gpus: tuple[AcceleratorLabel, ...] | None = None


class NoRoom(ConfigError):
    """The workspace will never give what is asked for."""


def look(client: Client) -> Room:
    """The room that there is. Raises as the client does."""
    quotas = client.capacity.quotas()
    quota = quotas[0] if len(quotas) == 1 else _own(quotas, client)
    labels = tuple(client.capacity.accelerators())
    if quota is None:
        return Room(gpus=labels)
    return Room(_limits(quota.quota_configured), _amounts(quota.quota_usage), labels)


def look_if_told(client: Client) -> Room:
    """The room that there is; nothing is known of a workspace that does not tell."""
    try:
        return look(client)
    except DeployError:
        return Room()


def require_room(spec: ClusterSpec, room: Room) -> None:
    """Raises NoRoom when nodes of ``spec`` would wait for ever."""
    if lacking := [*beyond_quota(spec, room), *beyond_gpus(spec, room)]:
        raise NoRoom(
            f"cluster {spec.name} would wait in SCHEDULING for ever",
            why="\n".join(lacking),
            next_step="ask for fewer or smaller nodes, or have the administrator give more",
        )


def all_there(spec: ClusterSpec, nodes: Iterable[Node]) -> bool:
    """Whether every node of ``spec`` runs, so that nothing has to find room."""
    running = {node.name for node in nodes if node.state is NodeState.RUNNING}
    return all(name in running for name, _ in spec.members())


def beyond_quota(spec: ClusterSpec, room: Room) -> Iterator[str]:
    """What the cluster asks for in all and the quota does not hold, whoever else uses it."""
    for name, amount in wanted(spec).items():
        limit = room.limits.get(name)
        if limit is not None and amount > limit:
            yield f"it asks for {shown(name, amount)} in all, and your quota is {limit:g}"


def beyond_gpus(spec: ClusterSpec, room: Room) -> Iterator[str]:
    """What no node of the workspace has."""
    if room.gpus is None:
        return
    most = max((label.max_gpu_per_workload or label.max_gpu_count for label in room.gpus), default=0)
    for group in spec.groups:
        if group.gpu and not room.gpus:
            yield f"{group.name} asks for {shown('gpu', group.gpu)} a node, and the workspace has no accelerator label"
        elif group.gpu > most > 0:
            yield f"{group.name} asks for {shown('gpu', group.gpu)} a node, and the workspace gives {most} at the most"


def taken_by_others(spec: ClusterSpec, room: Room, nodes: Iterable[Node]) -> Iterator[str]:
    """What would fit the quota if nothing else of yours ran; ``nodes`` are those that the cluster has."""
    own = held(nodes)
    for name, amount in wanted(spec).items():
        limit = room.limits.get(name)
        others = max(room.used.get(name, 0) - own[name], 0)
        if limit is not None and amount <= limit < amount + others:
            yield f"it asks for {shown(name, amount)}, and {others:g} of your {limit:g} are used elsewhere"


def shown(name: str, amount: float) -> str:
    """``3 vCPU``."""
    return "1 GPU" if (name, amount) == ("gpu", 1) else f"{amount:g} {UNITS[name]}"


def wanted(spec: ClusterSpec) -> dict[str, float]:
    """All that the cluster asks for; an amount of nothing is left out."""
    sums = _sum(group for _, group in spec.members())
    return {name: amount for name, amount in sums.items() if amount}


def held(nodes: Iterable[Node]) -> dict[str, float]:
    """What nodes hold that are there."""
    there = [node.facts for node in nodes if node.state not in GONE]
    return {
        "cpu": sum(facts["cpu"] for facts in there),
        "memory": sum(facts["memory_gb"] for facts in there),
        "gpu": sum(facts["gpu"] for facts in there),
    }


def _sum(groups: Iterable[Resources]) -> dict[str, float]:
    each = list(groups)
    return {
        "cpu": sum(group.cpu for group in each),
        "memory": sum(group.memory_gb for group in each),
        "gpu": float(sum(group.gpu for group in each)),
    }


def _own(quotas: Sequence[UserQuota], client: Client) -> UserQuota | None:
    """The key's owner's, of those of everybody."""
    owner = client.validate_key() if quotas else ""
    return next((quota for quota in quotas if quota.user.user_name == owner), None)


def _limits(configured: Quota) -> dict[str, float]:
    """What is limited. Nobody has a quota of no CPU or no memory: that stands for none that was set."""
    limits = _amounts(configured)
    if not limits.get("cpu") and not limits.get("memory"):
        return {}
    return {name: limit for name, limit in limits.items() if limit or name == "gpu"}


def _amounts(quota: Quota) -> dict[str, float]:
    found = {}
    for name, text in (("cpu", quota.cpu), ("memory", quota.memory), ("gpu", quota.nvidia_gpu)):
        try:
            found[name] = float(text)
        except ValueError:  # "" is none
            continue
    return found
