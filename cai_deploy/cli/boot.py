"""``boot``: what has hosts start their nodes again when they boot: printed, or written there, or taken away again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from cai_deploy import config as specification
from cai_deploy import on_boot
from cai_deploy.cli.boot_agreement import YES, agreed
from cai_deploy.cli.options import config_option, host_keys_option, json_option
from cai_deploy.cli.output import say, show_json
from cai_deploy.errors import ConfigError
from cai_deploy.session import open_session
from cai_deploy.spec import ClusterSpec

if TYPE_CHECKING:
    from cai_deploy.places.ssh.place import SshPlace

Opened: TypeAlias = "tuple[SshPlace, ClusterSpec]"


@click.command("boot")
@click.option("--systemd", is_flag=True, help="Print units of systemd instead of lines for crontabs.")
@click.option("--install", is_flag=True, help="Write it on each host, once it was shown and agreed to.")
@click.option("--remove", is_flag=True, help="Take away what --install wrote. `down` does that too.")
@YES
@host_keys_option
@config_option
@json_option
def command(systemd: bool, install: bool, remove: bool, yes: bool, config: Path | None, as_json: bool) -> None:
    """Print what has each host start its nodes again when it boots, without anybody launching.

    With --install it is written: to the crontab of the host's user, or as a unit of that user's systemd where no cron
    runs. Lines and units of others are left as they are.

    \b
    Examples:
      python -m cai_deploy boot
      python -m cai_deploy boot --systemd
      python -m cai_deploy boot --install
    """
    if install + remove + systemd > 1:
        raise ConfigError("--install, --remove and --systemd exclude each other", next_step="say one of them")
    if install or remove:
        done = _install(_place(config), yes=yes) if install else _remove(_place(config))
        if as_json:
            show_json(done)
        return
    spec = specification.load(config)
    if spec.place != "ssh":
        raise _nowhere_else()
    told = dict(on_boot.units(spec) if systemd else on_boot.crontab_lines(spec))
    if as_json:
        show_json({"hosts": told})
    else:
        click.echo("\n".join(f"# on {host}\n{text}" for host, text in told.items()))


def _place(config: Path | None) -> Opened:
    """The hosts, once they are opened. Raises ConfigError where the place is another."""
    session = open_session(config)
    if session.place.name == "ssh":
        from cai_deploy.places.ssh.place import SshPlace  # for whoever has hosts

        if isinstance(session.place, SshPlace):
            return session.place, session.configured
    raise _nowhere_else()


def _nowhere_else() -> ConfigError:
    step = "with `place: ssh`; elsewhere the platform does that"
    return ConfigError("only hosts of your own boot", next_step=step)


def _install(opened: Opened, *, yes: bool) -> dict[str, Any]:
    place, spec = opened
    entries = agreed(place.boot_entries(spec), yes=yes)
    for entry in entries:
        entry.write()
    if entries:
        say("written; `boot --remove` takes it away again, and so does `down`")
    return {"written": [entry.machine for entry in entries]}


def _remove(opened: Opened) -> dict[str, Any]:
    place, spec = opened
    gone = {host: what for host, what in place.take_away_boot_entries(spec).items() if what}
    for host, what in gone.items():
        say(f"{host}: {', '.join(what)} is gone")
    if not gone:
        say("no host starts anything of this cluster when it boots: nothing to do")
    return {"gone": gone}
