"""``status``: what is there, and whether it is what was last wanted."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.outcome import show_connection
from cai_deploy.cli.output import envelope, say, show_json, show_nodes
from cai_deploy.deploy import preview
from cai_deploy.session import open_session


@click.command("status")
@config_option
@json_option
def command(config: Path | None, as_json: bool) -> None:
    """Show the cluster's nodes and how to connect. Changes nothing."""
    session = open_session(config)
    seen = session.place.observe_cluster(session.configured)
    if seen.applied_spec is None:
        say(f"there is no cluster {session.configured.name} here; `launch` makes one")
        if as_json:
            show_json(envelope(session.configured.name, session.place.name, seen, converged=False))
        return
    done = preview(session.place, seen.applied_spec)
    if as_json:
        name = seen.applied_spec.name
        show_json(envelope(name, session.place.name, done.seen, converged=done.plan.converged))
        return
    show_nodes(done.seen)
    for step in done.plan.steps:
        say(f"differs: {step}")
    show_connection(session, done.seen)
