"""``restart``: nodes end and begin again as they are, where a place can do that to one of them."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.outcome import converge_and_show
from cai_deploy.cli.output import say
from cai_deploy.places.base import NotPossibleHere
from cai_deploy.places.compose.place import ComposePlace
from cai_deploy.session import open_session


@click.command("restart")
@click.argument("nodes", nargs=-1)
@config_option
@json_option
def command(nodes: tuple[str, ...], config: Path | None, as_json: bool) -> None:
    """End nodes and begin them again as they are: those named, or all. Only on Docker Compose.

    \b
    Examples:
      python -m cai_deploy restart worker-0
      python -m cai_deploy restart
    """
    session = open_session(config)
    if not isinstance(session.place, ComposePlace):
        raise NotPossibleHere(
            f"nodes are not started anew one by one on {session.place.name}",
            next_step="`launch` starts anew what has failed or has changed",
        )
    spec = session.spec_in_force()
    for name in session.place.restart(spec, nodes):
        say(f"started anew: {name}")
    converge_and_show(session, spec, as_json=as_json)
