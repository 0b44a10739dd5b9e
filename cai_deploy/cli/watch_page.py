"""An overview of a cluster as texts and tables. Pure, but for what rich draws."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cai_deploy.overview import Member, Overview, Share

if TYPE_CHECKING:
    from rich.console import RenderableType

NODE_HEADINGS = ("NODE", "GROUP", "STATE", "ADDRESS", "CPU", "MEMORY", "GPU", "SINCE")
JOB_HEADINGS = ("JOB", "STATUS", "STARTED", "COMMAND")
EVENTS_SHOWN = 10
JOBS_SHOWN = 10
LONGEST_COMMAND = 60
GIGABYTE = 1024**3

COLOURS = {
    "ALIVE": "green",
    "SUCCEEDED": "green",
    "RUNNING": "cyan",
    "PENDING": "yellow",
    "DRAINING": "yellow",
    "DEAD": "red",
    "FAILED": "red",
    "STOPPED": "yellow",
}


def title(seen: Overview) -> str:
    """One line on the whole cluster."""
    alive = sum(node.state == "ALIVE" for node in seen.nodes)
    state = f"{alive} of {len(seen.nodes)} nodes ALIVE" if seen.answers else "Ray does not answer"
    return f"cluster {seen.cluster}: {state}, Ray {seen.ray_version}, head {seen.epoch}, {seen.url}"


def node_rows(seen: Overview) -> list[tuple[str, ...]]:
    """A row for each node."""
    return [
        (
            node.name,
            node.group or "-",
            node.state,
            node.address or "-",
            share(node.cpu),
            share(node.memory, GIGABYTE, " GB"),
            share(node.gpu),
            ago(node.since, seen.now),
        )
        for node in seen.nodes
    ]


def job_rows(seen: Overview) -> list[tuple[str, ...]]:
    """A row for each of the last jobs."""
    return [
        (job.id, job.status, ago(job.started_at, seen.now), " ".join(job.entrypoint.split())[:LONGEST_COMMAND])
        for job in seen.jobs[:JOBS_SHOWN]
    ]


def event_lines(seen: Overview) -> list[str]:
    """What befell the nodes lately, the newest first."""
    return [f"{event.at}  {event.text}" for event in seen.events[:EVENTS_SHOWN]]


def changes(before: Overview, after: Overview) -> list[str]:
    """What is other than it was, in the order in which it may have happened."""
    known = set(before.events)
    lines = [f"{event.at}  {event.text}" for event in reversed(after.events) if event not in known]
    states = {node.name: node.state for node in before.nodes}
    lines += [f"{after.now}  {_turned(node, states)}" for node in after.nodes if states.get(node.name) != node.state]
    statuses = {job.id: job.status for job in before.jobs}
    lines += [
        f"{after.now}  job {job.id} is {job.status}"
        for job in reversed(after.jobs)
        if statuses.get(job.id) != job.status
    ]
    if before.answers != after.answers:
        lines.append(f"{after.now}  Ray {'answers again' if after.answers else 'does not answer'}")
    return lines


def page(seen: Overview | None, away: str) -> RenderableType:
    """All of it, for a terminal."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    if away:
        parts.append(Text(f"the head does not answer ({away}); looking again", style="yellow"))
    if seen:
        parts += [Text(f"{title(seen)}\n", style="bold"), _table(NODE_HEADINGS, node_rows(seen), 2), Text()]
        if seen.jobs:
            parts += [_table(JOB_HEADINGS, job_rows(seen), 1), Text()]
        if seen.serve:
            parts.append(Text("Serve: " + ", ".join(f"{name} at {route}" for route, name in seen.serve.items()) + "\n"))
        parts.append(Text("\n".join(event_lines(seen)) + "\n"))
    parts.append(Text("Ctrl-C ends this", style="dim"))
    return Group(*parts)


def share(of: Share, unit: float = 1, name: str = "") -> str:
    """``1/4``, with a unit; what is not known is left out."""
    if not of.total:
        return "-"
    total = f"{of.total / unit:.3g}{name}"
    return total if of.used is None else f"{of.used / unit:.3g}/{total}"


def ago(moment: str, now: str) -> str:
    """How long before ``now`` something was, roughly."""
    try:
        passed = datetime.fromisoformat(now) - datetime.fromisoformat(moment)
    except (ValueError, TypeError):
        return "-"
    for size, unit in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "m")):
        if passed >= size:
            return f"{passed // size}{unit}"
    return f"{max(int(passed.total_seconds()), 0)}s"


def _turned(node: Member, states: dict[str, str]) -> str:
    return f"{node.name} is {node.state}" + (f", it was {states[node.name]}" if node.name in states else "")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], coloured: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, header_style="dim", pad_edge=False)
    for row in rows:
        cells = [Text(cell, style=COLOURS.get(cell, "") if at == coloured else "") for at, cell in enumerate(row)]
        table.add_row(*cells)
    return table
