"""``worker``: this machine joins a cluster whose specification does not name it, and leaves it again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cai_deploy.cli.boot_agreement import YES, agreed
from cai_deploy.cli.options import json_option
from cai_deploy.cli.output import say, show_json
from cai_deploy.cli.worker_invite import invite
from cai_deploy.cli.worker_status import document, status
from cai_deploy.clock import SystemClock
from cai_deploy.errors import ConfigError
from cai_deploy.places.ssh import joined_here, joining
from cai_deploy.places.ssh.boot_entries import entry_here
from cai_deploy.places.ssh.invitation import HeadDoor, Invitation, NoEntry, parse_head
from cai_deploy.places.ssh.joined_here import Joined
from cai_deploy.places.ssh.joining import Start, Wish

DRAIN = 60.0
TOKEN_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("worker")
def command() -> None:
    """Have this machine join a cluster by hand, and leave it: where hosts are your own.

    \b
    Examples:
      python -m cai_deploy worker invite --token-file token
      python -m cai_deploy worker join --head 100.64.0.1 --token-file token
      python -m cai_deploy worker leave
    """


command.add_command(invite)
command.add_command(status)


@command.command("join")
@click.option("--head", metavar="HOST[:PORT]", help="The head's address, and its HTTP port if that is not 8100.")
@click.option("--token-file", type=TOKEN_FILE, help="The cluster's token. Default: you are asked for it.")
@click.option("--address", help="Where the other nodes reach this machine. Default: where it talks to the head from.")
@click.option("--bind", help="Behind NAT: where --address arrives here. It has to be on lo too.")
@click.option("--name", help="What the node is called. Default: joined-HOSTNAME.")
@click.option("--cpu", type=float, help="CPUs for the cluster. Default: all.")
@click.option("--memory-gb", type=float, help="Memory for the cluster. Default: 70 % of it.")
@click.option("--gpu", type=int, help="GPUs for the cluster. Default: all.")
@click.option("--on-boot", is_flag=True, help="Have this machine join again when it boots; what that takes is shown.")
@YES
@json_option
def join(
    head: str | None,
    token_file: Path | None,
    address: str | None,
    bind: str | None,
    name: str | None,
    cpu: float | None,
    memory_gb: float | None,
    gpu: int | None,
    on_boot: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Have this machine join the cluster of a head. Run a second time, it has nothing to do.

    \b
    Examples:
      python -m cai_deploy worker join --head 100.64.0.1 --token-file token
      python -m cai_deploy worker join --head 100.64.0.1:8101 --token-file token --cpu 4 --gpu 1
      python -m cai_deploy worker join --head 100.64.0.1 --token-file token --on-boot
    """
    door, invitation = _let_in(parse_head(head or _asked("--head", "The head (HOST[:PORT])")), token_file)
    home = Path.home()
    directory = joined_here.directory_of(home, invitation.spec.name)
    before = next((each for each in joined_here.joined(home) if each.directory == directory and each.lives), None)
    start = joining.drafted(door, invitation, Wish(name, address, bind, cpu, memory_gb, gpu), directory)
    if before:
        _require_same(before, start, door)
    entries = agreed([entry_here(directory, invitation.spec.name)], yes=yes) if on_boot else []
    if before:
        say(f"{before.node} is a worker of cluster {before.cluster} already: nothing to do")
    else:
        joining.begin(start, door, invitation, say)
        say(f"{start.node} is started, and joins the head at {invitation.connection.gcs_address}")
    here = _wait(home, invitation)
    if not before:
        say(f"{here.node} is a worker of cluster {here.cluster}, and ends with it, or by `worker leave`")
    for entry in entries:
        entry.write()
        say(f"written to {entry.where}: this machine joins again when it boots, until it leaves")
    if as_json:
        show_json({**document(here), "started": before is None})


@command.command("leave")
@click.option("--cluster", help="Which one, where this machine has joined several.")
@click.option(
    "--drain", type=click.FloatRange(0, 86_400), default=DRAIN, show_default=True, help="Seconds for the work it has."
)
def leave(cluster: str | None, drain: float) -> None:
    """End the worker of this machine after its work, and take away all that it has here.

    \b
    Examples:
      python -m cai_deploy worker leave
      python -m cai_deploy worker leave --drain 600
    """
    begun = [(name, where) for name, where in joined_here.unfinished(Path.home()) if cluster in (None, name)]
    for name, where in begun:
        joined_here.forget_boot(name, where, say)
        joined_here.clear(name, where)
        say(f"what was begun to join cluster {name} is not here any more")
    found = [each for each in joined_here.joined(Path.home()) if cluster in (None, each.cluster)]
    if not found and begun:
        return
    if not found:
        say("this machine has joined no cluster: nothing to do")
        return
    if len(found) > 1:
        names = ", ".join(each.cluster for each in found)
        raise ConfigError(f"this machine has joined several clusters: {names}", next_step="say which: --cluster NAME")
    (here,) = found
    joined_here.leave(here, drain, SystemClock(), say)
    say(f"{here.node} has left cluster {here.cluster}; nothing of it is here any more")


def _let_in(head: str, token_file: Path | None) -> tuple[HeadDoor, Invitation]:
    """The head's door with the token that opens it, which is asked for only where the head wants one."""
    if token_file:
        door = HeadDoor(head, _read(token_file))
        return door, door.invitation()
    try:
        return HeadDoor(head, ""), HeadDoor(head, "").invitation()
    except NoEntry:
        if not sys.stdin.isatty():
            raise
    door = HeadDoor(head, _asked("--token-file", "The cluster's token", hidden=True))
    return door, door.invitation()


def _asked(option: str, question: str, *, hidden: bool = False) -> str:
    """What a person types. Raises ConfigError where nobody is there."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{option} is missing, and nobody is here to be asked", next_step=f"say it: {option} …")
    return str(click.prompt(question, hide_input=hidden, err=True)).strip()


def _read(token_file: Path) -> str:
    try:
        return token_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"--token-file {token_file} cannot be read", why=str(error)) from error


def _require_same(before: Joined, start: Start, door: HeadDoor) -> None:
    """Raises ConfigError where another worker would come of it than the one that is there."""
    if before.shape == start.shape and before.node == start.node:
        return
    head = f" of the head at {before.told.get('head')}" if before.told.get("head") != door.address else ""
    raise ConfigError(
        f"this machine is a worker of cluster {before.cluster}{head} already, as {before.node} with other settings",
        next_step="python -m cai_deploy worker leave; then join again",
    )


def _wait(home: Path, invitation: Invitation) -> Joined:
    spec = invitation.spec
    return joined_here.wait_until_in(home, spec.name, spec.timeouts.join, SystemClock())
