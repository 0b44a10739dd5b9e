"""``logs``: what nodes have written, from the project's files."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option
from cai_deploy.session import open_session
from cai_deploy.shell import last_lines


@click.command("logs")
@click.argument("nodes", nargs=-1)
@click.option("--tail", type=click.IntRange(1), default=100, show_default=True, help="Lines of each node.")
@config_option
def command(nodes: tuple[str, ...], tail: int, config: Path | None) -> None:
    """Show what NODES have written: `logs head`, `logs worker-0`, or all of them."""
    session = open_session(config)
    spec = session.spec_in_force()
    names = nodes or tuple(name for name, _ in spec.members())
    for name in names:
        if len(names) > 1:
            click.echo(f"==> {name} <==")
        click.echo(last_lines(session.place.node_log(spec.name, name), tail) or f"(nothing was written by {name})")
