"""``ports``: which ports a cluster's hosts use, and the firewall's rules that open them. Changes nothing."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy import config as specification
from cai_deploy import firewall
from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.output import show_json
from cai_deploy.errors import ConfigError


@click.command("ports")
@click.option("--open-commands", is_flag=True, help="Print the commands that open the ways between hosts.")
@click.option(
    "--tool",
    type=click.Choice(sorted(firewall.TOOLS)),
    default="ufw",
    show_default=True,
    help="With --open-commands: for which firewall.",
)
@config_option
@json_option
def command(open_commands: bool, tool: str, config: Path | None, as_json: bool) -> None:
    """Show the ports of the specification, by what they are; left out is what Ray chooses itself.

    \b
    Examples:
      python -m cai_deploy ports
      python -m cai_deploy ports --open-commands
    """
    spec = specification.load(config)
    if not open_commands:
        ports = spec.ports.known()
        if as_json:
            show_json({"ports": ports, "pinned": list(spec.ports.pinned())})
        else:
            click.echo("\n".join(f"{port:>5}  {name}" for name, port in ports.items()))
        return
    if spec.place != "ssh":
        raise ConfigError(
            "rules are for hosts of your own", next_step="with `place: ssh`; a mesh is told by doctor --mesh-manifest"
        )
    rules = dict(firewall.open_commands(spec, tool))
    if as_json:
        show_json({"rules": {host: list(lines) for host, lines in rules.items()}})
    else:
        click.echo("\n".join(f"# on {host}\n" + "\n".join(lines) for host, lines in rules.items()))
