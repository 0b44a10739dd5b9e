"""``down``: nothing of the cluster is left, and that is looked at, not assumed."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option, parallelism_option
from cai_deploy.cli.output import envelope, say, show_json
from cai_deploy.cli.progress import Story
from cai_deploy.deploy import tear_down
from cai_deploy.local_workspace import process as local_workspace
from cai_deploy.places.base import NotPossibleHere
from cai_deploy.session import Session, open_session


@click.command("down")
@click.option("--project", is_flag=True, help="Remove the project too, if it was made for the cluster.")
@parallelism_option
@config_option
@json_option
def command(project: bool, parallelism: int, config: Path | None, as_json: bool) -> None:
    """Remove the cluster. Its project, code and environment stay, so that the next launch is quick.

    \b
    Examples:
      python -m cai_deploy down
      python -m cai_deploy down --project
    """
    session = open_session(config, parallelism=parallelism)
    if project and session.target is None:
        raise NotPossibleHere(
            "there is no project to remove: the directory is yours, and its files may be of use to you",
            next_step="run `down` without --project",
        )
    with Story() as story:
        done = tear_down(session.place, session.configured, story, parallelism=parallelism)
    removed = len({step.native_id for step in done.applied if (step.kind, step.action) == ("node", "stop")})
    say(f"{removed} nodes removed in {done.seconds:.1f} s" if removed else "nothing to do: no nodes")
    if project:
        gone = session.place.delete_project(session.configured)
        say(f"project {gone} removed" if gone else "nothing to do: no project")
    if as_json:
        name = session.configured.name
        show_json(envelope(name, session.place.name, done.seen, converged=True, removed=removed))
    leave_no_process(session)


def leave_no_process(session: Session) -> None:
    """Stop the local workspace when it was started for a cluster and nothing runs in it any more; its state is kept."""
    if session.local and local_workspace.stop_if_idle():
        say("the local workspace has stopped too, as nothing else runs in it")
