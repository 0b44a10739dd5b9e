"""What befell the cluster's nodes: who joined, who was lost, when the head moved. Pure.

Read off what the GCS remembers of every start of a node. It keeps the last thousand that ended, and outlives the head
where its store does, so nothing has to be written down here and nobody has to watch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from cai_deploy.node.gcs import RayNode

MOST = 50
LONGEST = 200
"""Characters of what Ray says of an end."""


@dataclass(frozen=True)
class Event:
    """``at`` is in milliseconds. ``kind`` is joined, left, lost, head_started or head_moved; ``text`` is for people."""

    at: int
    kind: str
    node: str
    text: str


def history(nodes: Sequence[RayNode], drains: Set[bytes]) -> list[Event]:
    """The last events, the newest first. ``nodes`` come by their starts; ``drains`` are those asked to drain."""
    told = [*_starts(nodes), *_ends(nodes, drains)]
    return sorted(told, key=lambda event: event.at, reverse=True)[:MOST]


def _starts(nodes: Sequence[RayNode]) -> Iterator[Event]:
    head_was_at = ""
    for node in nodes:
        if not node.is_head:
            yield Event(node.started, "joined", node.name, f"{node.name} joined at {node.address}")
        elif head_was_at and head_was_at != node.address:
            yield Event(node.started, "head_moved", node.name, f"the head moved from {head_was_at} to {node.address}")
        else:
            again = " again" if head_was_at else ""
            yield Event(node.started, "head_started", node.name, f"the head started{again} at {node.address}")
        if node.is_head:
            head_was_at = node.address


def _ends(nodes: Sequence[RayNode], drains: Set[bytes]) -> Iterator[Event]:
    for node in nodes:
        # The end of a head is told by the start of the next, as nobody was there to see it.
        if node.is_head or node.state != "DEAD" or not node.ended:
            continue
        if node.id in drains:
            yield Event(node.ended, "left", node.name, f"{node.name} left: it was asked to drain")
        elif node.wanted_end:
            yield Event(node.ended, "left", node.name, f"{node.name} left")
        else:
            why = " ".join(node.why_ended.split())
            yield Event(
                node.ended,
                "lost",
                node.name,
                f"{node.name} was lost: {why[:LONGEST]}" if why else f"{node.name} was lost",
            )
