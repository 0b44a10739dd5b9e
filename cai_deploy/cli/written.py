"""What a specification's file says, read without checking it: for answers that must come at once, or not at all.

Completion and ``--version`` use it. It never raises: who presses the tab key wants no traceback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

FILE = Path("cai-deploy.yaml")
MOST_NODES = 200
"""Nodes that completion offers: more than that nobody reads."""


def written(file: Path) -> Mapping[str, Any] | None:
    """The keys and values in ``file``, None when it cannot be read."""
    import yaml  # a tenth of the time that a check takes

    try:
        stated = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return stated if isinstance(stated, dict) else None


def complete_groups(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """The groups of workers that begin with ``incomplete``."""
    return [name for name, _ in _groups(context) if name.startswith(incomplete)]


def complete_nodes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """The nodes that begin with ``incomplete``."""
    nodes = ["head", *(f"{name}-{index}" for name, replicas in _groups(context) for index in range(replicas))]
    return [node for node in nodes if node.startswith(incomplete)][:MOST_NODES]


def _groups(context: click.Context) -> Iterator[tuple[str, int]]:
    file = context.params.get("config") or FILE
    groups = (written(Path(file)) or {}).get("workers", [{}])
    for group in groups if isinstance(groups, list) else []:
        if isinstance(group, dict):
            replicas = group.get("replicas", 1)
            yield str(group.get("name", "worker")), min(replicas, MOST_NODES) if isinstance(replicas, int) else 0
