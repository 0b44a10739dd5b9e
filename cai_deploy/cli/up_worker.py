"""``up-worker``: a worker of this machine joins a head on another one, where nodes are containers."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option
from cai_deploy.cli.output import say
from cai_deploy.errors import ConfigError
from cai_deploy.places.base import NotPossibleHere
from cai_deploy.places.compose.place import ComposePlace
from cai_deploy.places.ssh.own_network import towards
from cai_deploy.session import open_session


@click.command("up-worker")
@click.option("--head-ip", required=True, help="The address at which the head's machine is reached.")
@click.option("--node-ip", help="Where this machine is reached. Default: where it talks to the head from.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The cluster's token, copied from the head's machine. Needed the first time.",
)
@config_option
def command(head_ip: str, node_ip: str | None, token_file: Path | None, config: Path | None) -> None:
    """Have a worker of this machine join a head elsewhere. Needs the head's specification; only on Docker Compose.

    \b
    Examples:
      python -m cai_deploy up-worker --head-ip 10.0.0.1 --token-file token
      python -m cai_deploy down
    """
    session = open_session(config)
    if not isinstance(session.place, ComposePlace):
        raise NotPossibleHere(f"no worker is brought by hand on {session.place.name}", next_step="use `scale`")
    spec = session.configured
    name, is_new = session.place.up_worker(spec, head_ip, node_ip or _towards(head_ip), _read(token_file))
    if is_new:
        say(f"{name} is started, and joins the head at {head_ip}; its story: python -m cai_deploy logs {name}")
    else:
        say(f"{name} runs here already, for the head at {head_ip}: nothing to do")


def _towards(head_ip: str) -> str:
    if found := towards(head_ip):
        return found
    raise ConfigError(
        f"this machine has no way to {head_ip}",
        next_step="name the address at which the head's machine is reached from here: --head-ip",
    )


def _read(token_file: Path | None) -> str:
    if token_file is None:
        return ""
    try:
        return token_file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"--token-file {token_file} cannot be read", why=str(error)) from error
