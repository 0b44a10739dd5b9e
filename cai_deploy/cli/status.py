"""``status``: what is there, and whether it is what was last wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cai_deploy.cli.github import output_lines, status_markdown
from cai_deploy.cli.options import config_option, json_option, markdown_option
from cai_deploy.cli.outcome import show_connection
from cai_deploy.cli.output import code_document, envelope, say, show_code, show_json, show_nodes
from cai_deploy.deploy import preview
from cai_deploy.errors import ConfigError
from cai_deploy.hibernation import shown
from cai_deploy.places.base import PlaceObservation
from cai_deploy.session import Session, open_session
from cai_deploy.state import Step


@dataclass(frozen=True)
class Standing:
    """How a cluster stands. ``story`` is it in words, ``differs`` what a launch of the same would do."""

    cluster: str
    seen: PlaceObservation
    story: str
    converged: bool = False
    differs: tuple[Step, ...] = ()


@click.command("status")
@click.option("--outputs", is_flag=True, help="Print name=value lines, for $GITHUB_OUTPUT.")
@config_option
@json_option
@markdown_option
def command(outputs: bool, config: Path | None, as_json: bool, markdown: bool) -> None:
    """Show the cluster's nodes and how to connect. Changes nothing.

    \b
    Examples:
      python -m cai_deploy status
      python -m cai_deploy status --json
      python -m cai_deploy status --outputs >> "$GITHUB_OUTPUT"
    """
    if outputs + as_json + markdown > 1:
        raise ConfigError("--outputs, --json and --markdown are three ways to print the same: choose one")
    session = open_session(config, reads_code=True)
    standing = look(session)
    seen = standing.seen
    if as_json:
        show_json(document(standing, session.place.name))
    elif outputs:
        click.echo("\n".join(output_lines(standing.cluster, seen, converged=standing.converged)))
    elif markdown:
        click.echo(status_markdown(standing.cluster, seen, standing.story))
    else:
        show(standing, session.place.runs_as)


def look(session: Session) -> Standing:
    """The cluster as it is now, beside what it was last launched with."""
    seen = session.observe_cluster()
    if seen.applied_spec is None:
        return Standing(session.configured.name, seen, f"there is no cluster {session.configured.name} here")
    name = seen.applied_spec.name
    if seen.asleep:
        return Standing(name, seen, f"{seen.asleep}", converged=not seen.nodes)
    done = preview(session.place, seen.applied_spec)
    alive = sum(node.ready for node in done.seen.nodes)
    return Standing(name, done.seen, f"{alive} nodes ALIVE", done.plan.converged, done.plan.steps)


def document(standing: Standing, place: str) -> dict[str, Any]:
    """The same as data."""
    seen, more = standing.seen, {}
    if seen.applied_spec:
        asleep = seen.asleep
        more = {
            "asleep": {"since": shown(asleep.since), "why": asleep.why} if asleep else None,
            "code": code_document(seen),
        }
    return envelope(standing.cluster, place, seen, converged=standing.converged, **more)


def show(standing: Standing, runs_as: str) -> None:
    """The same for people."""
    seen = standing.seen
    if seen.applied_spec is None:
        say(f"{standing.story}; `launch` makes one")
        return
    if seen.asleep:
        say(f"{standing.story}; `launch` wakes it")
        if seen.nodes:
            show_nodes(seen, runs_as)
        return
    show_nodes(seen, runs_as)
    show_code(seen)
    for step in standing.differs:
        say(f"differs: {step}")
    show_connection(seen)
