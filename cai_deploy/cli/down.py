"""``down``: nothing of the cluster is left, and that is looked at, not assumed."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.output import envelope, say, show_json
from cai_deploy.cli.progress import Story
from cai_deploy.deploy import tear_down
from cai_deploy.local_workspace import process as local_workspace
from cai_deploy.session import Session, open_session


@click.command("down")
@config_option
@json_option
def command(config: Path | None, as_json: bool) -> None:
    """Remove the cluster. Its project, code and environment stay, so that the next launch is quick."""
    session = open_session(config)
    with Story() as story:
        done = tear_down(session.place, session.configured, story)
    removed = sum(step.action == "stop" for step in done.applied)
    say(f"{removed} nodes removed in {done.seconds:.1f} s" if removed else "nothing to do: no nodes")
    if as_json:
        name = session.configured.name
        show_json(envelope(name, session.place.name, done.seen, converged=True, removed=removed))
    leave_no_process(session)


def leave_no_process(session: Session) -> None:
    """Stop the local workspace when it was started for a cluster and nothing runs in it any more; its state is kept."""
    if session.local and local_workspace.stop_if_idle():
        say("the local workspace has stopped too, as nothing else runs in it")
