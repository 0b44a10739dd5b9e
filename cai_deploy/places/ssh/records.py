"""What a host's record says of a node, as a value. It knows no host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Record:
    """One node on a host, as its keeper wrote it down. ``ended`` is how it ended, None while it has not."""

    cluster: str
    owner: str
    node: str
    group: str
    fingerprint: str
    epoch: int
    pid: int
    address: str
    port: int
    launched: float
    lives: bool
    same_boot: bool
    stopping: bool
    ended: Mapping[str, Any] | None


def record_of(told: Mapping[str, Any]) -> Record:
    """What a host told."""
    return Record(
        **{name: str(told.get(name, "")) for name in ("cluster", "owner", "node", "group", "fingerprint", "address")},
        epoch=int(told.get("epoch") or 0),
        pid=int(told.get("pid") or 0),
        port=int(told.get("port") or 0),
        launched=float(told.get("launched") or 0.0),
        lives=bool(told.get("lives")),
        same_boot=bool(told.get("same_boot")),
        stopping=told.get("stopping") is not None,
        ended=told.get("ended"),
    )
