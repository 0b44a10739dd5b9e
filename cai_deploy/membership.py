"""Which of a group's nodes stay when there are too many, and what new ones are called. Pure.

A worker has no identity that anybody counts on, so the least work is lost by letting go of those that do least: what is
on its way out anyway, then what is not up, then what is idle. New ones take the lowest names that are free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

from cai_deploy.spec import HEAD, ClusterSpec, HeadGroup, WorkerGroup
from cai_deploy.state import DRAINED, DRAINING, Node, NodeState


@dataclass(frozen=True)
class Members:
    """The nodes of one cluster by name, each with its group. ``spares`` may join while their group is rolled."""

    nodes: tuple[tuple[str, HeadGroup | WorkerGroup], ...]
    spares: tuple[tuple[str, WorkerGroup], ...]


def choose_members(spec: ClusterSpec, there: Sequence[Node]) -> Members:
    """The nodes that ``spec`` wants, where these are ``there``: as many of them as possible stay."""
    nodes: list[tuple[str, HeadGroup | WorkerGroup]] = [(HEAD, spec.head)]
    spares: list[tuple[str, WorkerGroup]] = []
    for group in spec.workers:
        present = [node for node in there if node.group == group.name and node.role != HEAD]
        kept, others = _divide(group, present)
        nodes += [(name, group) for name in kept]
        spares += [(name, group) for name in islice(others, spec.update.surge_of(group.replicas))]
    return Members(tuple(nodes), tuple(spares))


def number_of(name: str) -> int:
    """The number at the end of a node's name, -1 when there is none."""
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else -1


def _divide(group: WorkerGroup, present: Iterable[Node]) -> tuple[list[str], Iterator[str]]:
    """The names that stay or come, and those that may stand in, present ones first."""
    by_name: dict[str, Node] = {}
    for node in present:
        by_name.setdefault(node.name, node)
    staying = sorted(by_name.values(), key=_worth, reverse=True)
    free = (name for number in count() if (name := f"{group.name}-{number}") not in by_name)
    kept = [node.name for node in staying[: group.replicas]]
    kept += islice(free, group.replicas - len(kept))
    return sorted(kept, key=number_of), _then([node.name for node in staying[group.replicas :]], free)


def _then(first: list[str], others: Iterator[str]) -> Iterator[str]:
    yield from first
    yield from others


def _worth(node: Node) -> tuple[bool, bool, int, int]:
    """The more, the later it goes."""
    leaving = node.state is NodeState.STOPPING or node.ray_state in (DRAINING, DRAINED)
    busy = 1 if node.idle is None else 0 if node.idle else 2
    return (not leaving, node.ready, busy, -number_of(node.name))
