"""``launch``: from nothing, or from anywhere, to the cluster that is wanted."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option, inline_option, json_option, workers_option
from cai_deploy.cli.outcome import converge_and_show
from cai_deploy.cli.output import say
from cai_deploy.config import with_workers
from cai_deploy.session import Session, open_session
from cai_deploy.spec import ClusterSpec


@click.command("launch")
@workers_option
@inline_option
@config_option
@json_option
def command(workers: int | None, inline: bool, config: Path | None, as_json: bool) -> None:
    """Bring the cluster up, or to its specification. Run it again at any time: it changes only what differs.

    \b
    Examples:
      python -m cai_deploy launch --workers 2
      python -m cai_deploy launch --config cai-deploy.yaml --json
    """
    session = open_session(config)
    spec = wanted_spec(session, workers, inline=inline)
    converge_and_show(session, spec, as_json=as_json)


def wanted_spec(session: Session, workers: int | None, *, inline: bool) -> ClusterSpec:
    """The specification with the command line's flags on top."""
    spec = with_workers(session.spec_to_launch(), workers)
    if inline:
        spec = spec.model_copy(update={"launch_with": "inline"})
    if spec.launch_with == "inline":
        say("no launcher scripts: each application runs the inline `ray start ... --block` command itself")
    return spec
