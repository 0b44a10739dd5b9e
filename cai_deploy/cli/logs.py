"""``logs``: what nodes have written, from the project's files; of nodes and clusters that are gone, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import click

from cai_deploy.cli.log_following import Shown, follow
from cai_deploy.cli.options import config_option
from cai_deploy.cli.output import say
from cai_deploy.cli.written import complete_nodes
from cai_deploy.logs import last_lines, lines_since, moment, nodes_of, ray_lines, since
from cai_deploy.places.base import NodeLogs
from cai_deploy.session import Session, open_session
from cai_deploy.spec import HEAD

ALL, WORKERS = "all", "workers"
"""What stands for several nodes. No node is called so: a worker has its group's name, and a number."""

TAIL = 100


@click.command("logs")
@click.argument("nodes", nargs=-1, shell_complete=complete_nodes)
@click.option("--tail", type=click.IntRange(1), help=f"Lines of each node. Default: {TAIL}, or all with --since.")
@click.option(
    "--since", "written_since", metavar="WHEN", help="Only what was written since: 10m, 2h, 2026-11-21T09:00."
)
@click.option("--ray", "of_ray", is_flag=True, help="Show the ends of Ray's own logs of the nodes instead.")
@click.option("--follow", "-f", "following", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@config_option
def command(
    nodes: tuple[str, ...],
    tail: int | None,
    written_since: str | None,
    of_ray: bool,
    following: bool,
    config: Path | None,
) -> None:
    """Show what NODES have written: `logs head`, `logs worker-0`, `logs workers` of all workers.
    `logs all` shows those that are gone too.

    What a node writes (its agent, its application's output, Ray's own words) outlives it, and what a cluster wrote last
    is kept when it is taken down.

    \b
    Examples:
      python -m cai_deploy logs head --tail 20
      python -m cai_deploy logs --follow --since 10m
      python -m cai_deploy logs worker-0 --ray
    """
    session = open_session(config)
    logs = session.place.logs(session.configured)
    when = moment(written_since, logs.now()) if written_since else None
    sizes = logs.sizes()
    names = chosen(nodes, session, logs, sizes)
    if logs.kept:
        say(f"there is no cluster {session.configured.name} any more; this is what it wrote last")
    shown = [read(logs, sizes, name, tail, when, of_ray=of_ray) for name in names]
    for each in shown:
        if len(names) > 1:
            click.echo(f"==> {each.node} <==")
        nothing = "" if following else f"(nothing was written by {each.node}{' since then' if when else ''})"
        if text := "\n".join(each.lines) or nothing:
            click.echo(text)
    if following and logs.kept:
        say("nothing more will come")
    elif following:
        follow(session, logs, shown, of_ray=of_ray, joined_by=newcomers(nodes))


def chosen(nodes: Sequence[str], session: Session, logs: NodeLogs, sizes: Mapping[str, int]) -> list[str]:
    """The nodes to show: those of the cluster, if nobody says otherwise."""
    if nodes and not {ALL, WORKERS} & {*nodes}:
        return list(dict.fromkeys(nodes))
    wrote = nodes_of(sizes)
    there = wrote if logs.kept else members(session)
    if ALL in nodes:
        return list(dict.fromkeys([*there, *wrote]))
    if WORKERS not in nodes:
        return there
    workers = [name for name in there if name != HEAD]
    return list(dict.fromkeys(each for name in nodes for each in (workers if name == WORKERS else [name])))


def members(session: Session) -> list[str]:
    """The cluster's nodes as they are called now; those to come, while there are none.

    A place may give a node that was replaced another number than the specification would.
    """
    there = [node.name for node in session.place.observe_cluster(session.configured).nodes]
    return list(dict.fromkeys(there)) or [name for name, _ in session.spec_in_force().members()]


def newcomers(nodes: Sequence[str]) -> Callable[[str], bool]:
    """Which nodes are followed too that are yet to come."""
    if not nodes or ALL in nodes:
        return lambda _: True
    return lambda node: WORKERS in nodes and node != HEAD


def read(
    logs: NodeLogs, sizes: Mapping[str, int], node: str, tail: int | None, when: datetime | None, *, of_ray: bool
) -> Shown:
    """What is shown of a node at first."""
    if of_ray:
        known = ray_lines(logs, sizes, node)
        lines = since(known, when) if when else [line for line in known if line.strip()]
        return Shown(node, lines[-(tail or (len(lines) if when else TAIL)) :], known=known)
    if when:
        lines, end = lines_since(logs, sizes, node, when)
        return Shown(node, lines[-(tail or len(lines)) :], end)
    lines, end = last_lines(logs, sizes, node, count=tail or TAIL)
    return Shown(node, lines, end)
