"""``workspace``: the local workspace by hand. Other verbs start it by themselves when there is no other."""

from __future__ import annotations

import click

from cai_deploy.cli.options import json_option
from cai_deploy.cli.output import say, show_json
from cai_deploy.errors import DeployError
from cai_deploy.local_workspace import process
from cai_deploy.local_workspace.process import Endpoint


@click.group("workspace")
def command() -> None:
    """Run the local workspace, which speaks the CML API v2 and really runs jobs and applications.

    \b
    Examples:
      python -m cai_deploy workspace start
      eval "$(python -m cai_deploy workspace env)"
    """


@command.command("start")
def start() -> None:
    """Start it, or find it running.

    \b
    Examples:
      python -m cai_deploy workspace start
    """
    endpoint = process.start()
    say(f"the local workspace runs at {endpoint.host} ({endpoint.note})")
    say(f"its console: {endpoint.host}/ (the key is in `workspace env`)")
    say('to use it: eval "$(python -m cai_deploy workspace env)"')


@command.command("stop")
def stop() -> None:
    """Stop it and everything that runs in it. Projects and their files are kept.

    \b
    Examples:
      python -m cai_deploy workspace stop
    """
    say("stopped, with all that ran in it" if process.stop() else "nothing to do: it does not run")


@command.command("status")
@json_option
def status(as_json: bool) -> None:
    """Show whether it runs, and what runs in it.

    \b
    Examples:
      python -m cai_deploy workspace status
      python -m cai_deploy workspace status --json
    """
    document = process.status()
    if as_json:
        show_json(document)
        return
    for key, value in document.items():
        click.echo(f"{key}: {value}")
    if document["running"]:
        click.echo(f"console: {document['host']}/")


@command.command("env")
def env() -> None:
    """Print export lines for a shell: eval "$(python -m cai_deploy workspace env)".

    \b
    Examples:
      eval "$(python -m cai_deploy workspace env)"
    """
    endpoint = require_running()
    click.echo(f"export CML_HOST={endpoint.host}")
    click.echo(f"export CML_API_KEY={endpoint.api_key}")


@command.command("logs")
def logs() -> None:
    """Show what the workspace's server has written.

    \b
    Examples:
      python -m cai_deploy workspace logs
    """
    file = process.log_file()
    click.echo(file.read_text(encoding="utf-8", errors="replace") if file.exists() else "(nothing yet)", nl=False)


def require_running() -> Endpoint:
    """The workspace that runs. Raises DeployError when none does."""
    endpoint = process.find()
    if endpoint is None:
        raise DeployError("the local workspace does not run", next_step="python -m cai_deploy workspace start")
    return endpoint
