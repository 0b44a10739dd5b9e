"""Bringing a cluster to a specification while a person watches, and showing what came of it."""

from __future__ import annotations

import click

from cai_deploy.cli.connect import connect_lines
from cai_deploy.cli.output import envelope, say, show_json, show_nodes
from cai_deploy.cli.progress import Story
from cai_deploy.deploy import launch
from cai_deploy.places.base import Seen
from cai_deploy.reconcile import Converged
from cai_deploy.session import Session
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Observation


def converge_and_show(session: Session, spec: ClusterSpec, *, as_json: bool) -> None:
    """What launch, scale and deploy have in common once they know what is wanted."""
    with Story() as story:
        done = launch(session.place, spec, story)
    show_converged(session, spec, done, as_json=as_json)


def show_converged(session: Session, spec: ClusterSpec, done: Converged[Seen], *, as_json: bool) -> None:
    """The nodes and how to connect, after telling how long it took."""
    count = len(done.seen.nodes)
    if not done.applied:
        say(f"nothing to do: {count} nodes ALIVE")
    elif done.node_seconds:
        say(
            f"{count} nodes ALIVE, {done.node_seconds:.1f} s after the first application was started"
            f" ({done.seconds:.1f} s in all)"
        )
    else:
        say(f"done in {done.seconds:.1f} s: {count} nodes ALIVE")
    if as_json:
        show_json(
            envelope(
                spec.name,
                session.place.name,
                done.seen,
                converged=True,
                steps=[str(step) for step in done.applied],
                seconds=round(done.seconds, 2),
                node_seconds=round(done.node_seconds, 2),
            )
        )
        return
    show_nodes(done.seen)
    show_connection(session, done.seen)


def show_connection(session: Session, seen: Observation) -> None:
    """How to connect, once there is something to connect to."""
    if seen.connection:
        click.echo()
        for line in connect_lines(seen.connection, local=session.local):
            click.echo(line)
