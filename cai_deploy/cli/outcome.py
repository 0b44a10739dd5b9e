"""Bringing a cluster to a specification while a person watches, and showing what came of it."""

from __future__ import annotations

from datetime import datetime, timezone

import click

from cai_deploy.api.errors import BadRequest, Conflict
from cai_deploy.cli.connect import connect_lines
from cai_deploy.cli.explain import as_text, finding_lines
from cai_deploy.cli.output import envelope, say, show_json, show_nodes
from cai_deploy.cli.progress import Story
from cai_deploy.deploy import launch
from cai_deploy.diagnosis import Exhibit, diagnose
from cai_deploy.errors import ConfigError, DeployError, NotConverged
from cai_deploy.hibernation import expired
from cai_deploy.places.base import Seen
from cai_deploy.reconcile import Converged, StepFailed
from cai_deploy.session import Session
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Observation


def converge_and_show(session: Session, spec: ClusterSpec, *, as_json: bool) -> None:
    """What launch, scale and deploy have in common once they know what is wanted."""
    if over := expired(spec, datetime.now(timezone.utc)):
        raise ConfigError(
            f"cluster {spec.name} is not launched: {over}",
            why="its watchdog would put it to sleep at once",
            next_step="set expires_at to a later time, or leave it out",
        )
    try:
        with Story() as story:
            done = launch(session.place, spec, story, parallelism=session.parallelism)
    except (StepFailed, NotConverged, BadRequest, Conflict) as error:
        raise explained(error, session, spec) from error
    show_converged(session, spec, done, as_json=as_json)


def explained(error: DeployError, session: Session, spec: ClusterSpec) -> DeployError:
    """``error`` with what is known of its causes, and all that was written kept in a file beside it."""
    try:
        exhibits = session.place.evidence(spec)
        kept = session.place.keep_evidence(spec, as_text(exhibits))
    except DeployError as unreadable:
        error.why = "\n".join(filter(None, (error.why, f"(nothing more could be read: {unreadable})")))
        return error
    answered = Exhibit("the error", f"{error.what}\n{error.why}")
    lines = [line for finding in diagnose((answered, *exhibits)) for line in finding_lines(finding)]
    error.why = "\n".join(
        filter(None, (error.why, *lines, f"all that was written: {kept} in the project" if kept else ""))
    )
    return error


def show_converged(session: Session, spec: ClusterSpec, done: Converged[Seen], *, as_json: bool) -> None:
    """The nodes and how to connect, after telling how long it took."""
    count = len(done.seen.nodes)
    if not done.applied:
        say(f"nothing to do: {count} nodes ALIVE")
    elif done.node_seconds:
        say(
            f"{count} nodes ALIVE, {done.node_seconds:.1f} s after the first {session.place.runs_as} was started"
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
    show_nodes(done.seen, session.place.runs_as)
    show_connection(done.seen)


def show_connection(seen: Observation) -> None:
    """How to connect, once there is something to connect to."""
    if seen.connection:
        click.echo()
        for line in connect_lines(seen.connection):
            click.echo(line)
