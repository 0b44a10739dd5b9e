"""``worker invite``: what somebody needs who joins with a machine of their own, where the cluster was launched."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.access import RAY_AUTHORIZATION
from cai_deploy.cli.options import config_option, host_keys_option
from cai_deploy.cli.output import say
from cai_deploy.errors import ConfigError
from cai_deploy.node.secret_file import write_closed
from cai_deploy.places.base import NotPossibleHere
from cai_deploy.session import open_session

BEARER = "Bearer "

PATIENCE = 60.0
"""Seconds: a head is up before its dashboard is."""


@click.command("invite")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the cluster's token there, for you alone (0600).",
)
@host_keys_option
@config_option
def invite(token_file: Path | None, config: Path | None) -> None:
    """Print the command with which another machine joins the cluster. Changes nothing.

    \b
    Examples:
      python -m cai_deploy worker invite --token-file token
    """
    session = open_session(config)
    if session.place.name != "ssh":
        raise NotPossibleHere(f"no machine joins by itself on {session.place.name}", next_step="use `scale`")
    token = session.access(patience=PATIENCE).headers.get(RAY_AUTHORIZATION, "").removeprefix(BEARER)
    seen = session.observe_cluster()
    head = seen.connection.dashboard_address if seen.connection else ""
    option = ""
    if token_file and token:
        _write(token_file, token)
        say(f"{token_file} holds the token: bring it to that machine, where only you may read it, and remove it here")
        option = f" --token-file {token_file.name}"
    click.echo(f"python -m cai_deploy worker join --head {head}{option}")


def _write(file: Path, token: str) -> None:
    try:
        write_closed(file, token)
    except FileExistsError as error:
        raise ConfigError(f"--token-file {file} is there already", next_step="remove it, or name another") from error
    except OSError as error:
        raise ConfigError(f"--token-file {file} cannot be written", why=str(error)) from error
