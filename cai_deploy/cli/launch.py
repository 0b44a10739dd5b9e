"""``launch``: from nothing, or from anywhere, to the cluster that is wanted."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import (
    config_option,
    host_keys_option,
    inline_option,
    json_option,
    parallelism_option,
    rollback_option,
    workers_option,
)
from cai_deploy.cli.outcome import converge_and_show
from cai_deploy.cli.output import say
from cai_deploy.config import parse, with_workers
from cai_deploy.errors import DeployError
from cai_deploy.session import Session, open_session
from cai_deploy.spec import ClusterSpec


@click.command("launch")
@click.option(
    "--cluster", help="The cluster to launch: as the specification here says if it is its own, or else as it last was."
)
@workers_option
@inline_option
@rollback_option
@host_keys_option
@parallelism_option
@config_option
@json_option
def command(
    cluster: str | None,
    workers: int | None,
    inline: bool,
    rollback: bool,
    parallelism: int,
    config: Path | None,
    as_json: bool,
) -> None:
    """Bring the cluster up, or to its specification. Run it again at any time: it changes only what differs.

    \b
    Examples:
      python -m cai_deploy launch --workers 2
      python -m cai_deploy launch --config cai-deploy.yaml --json
      python -m cai_deploy launch --rollback
    """
    session = open_session(config, parallelism=parallelism).of(cluster)
    spec = reached_spec(session) if rollback else wanted_spec(session, workers, inline=inline)
    converge_and_show(session, spec, as_json=as_json)


def reached_spec(session: Session) -> ClusterSpec:
    """The specification that the cluster last reached. Raises DeployError when it never reached any."""
    reached = session.place.reached_spec(session.configured)
    if reached is None:
        raise DeployError(
            f"cluster {session.configured.name} never reached a specification that it could go back to",
            next_step="run `launch` without --rollback",
        )
    return reached


def wanted_spec(session: Session, workers: int | None, *, inline: bool) -> ClusterSpec:
    """The specification with the command line's flags on top."""
    spec = with_workers(session.spec_to_launch(), workers)
    if inline:
        # read again, as not everything can be done with an inline command
        spec = parse(spec.model_copy(update={"launch_with": "inline"}).to_json(), source="--inline")
    if spec.launch_with == "inline":
        say("no launcher scripts: each application runs the inline `ray start ... --block` command itself")
    return spec
