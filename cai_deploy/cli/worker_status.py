"""``worker status``: which clusters this machine has joined, and how its workers are."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cai_deploy.cli.options import json_option
from cai_deploy.cli.output import say, show_json, show_table
from cai_deploy.clock import SystemClock
from cai_deploy.errors import DeployError
from cai_deploy.places.ssh import joined_here
from cai_deploy.places.ssh.joined_here import Joined

HEADINGS = ("CLUSTER", "NODE", "STATE", "RAY", "ADDRESS", "HEAD", "PROCESS", "REASON")
KEYS = ("cluster", "node", "state", "ray_state", "address", "head", "pid", "reason")


@click.command("status")
@click.option("--watch", is_flag=True, help="Show it again whenever it changes, until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True, help="With --watch: seconds."
)
@json_option
def status(watch: bool, every: float, as_json: bool) -> None:
    """Show how the workers are that this machine has joined clusters with.

    With --watch and --json, one document a line for each change.

    \b
    Examples:
      python -m cai_deploy worker status
      python -m cai_deploy worker status --watch
    """
    seen = look()
    show(seen, as_json=as_json, in_one_line=watch)
    clock = SystemClock()
    try:
        while watch:
            clock.sleep(every)
            before, seen = seen, look()
            if seen != before:
                show(seen, as_json=as_json, in_one_line=True)
    except KeyboardInterrupt:
        say("")


def look() -> list[dict[str, Any]]:
    """All of them, now."""
    return [document(each) for each in joined_here.joined(Path.home())]


def document(here: Joined) -> dict[str, Any]:
    """One of them, as data."""
    state, reason = here.state()
    ray_state = ""
    if here.lives:
        try:
            ray_state = here.door.ray_state(here.node)
        except DeployError as error:
            reason = reason or str(error)
    return {
        "cluster": here.cluster,
        "node": here.node,
        "state": state.value,
        "ray_state": ray_state,
        "address": here.address,
        "head": here.door.address,
        "pid": here.told.get("pid"),
        "reason": reason or _activity(here),
    }


def show(seen: Sequence[dict[str, Any]], *, as_json: bool, in_one_line: bool) -> None:
    """Print what was seen."""
    if as_json and in_one_line:
        click.echo(json.dumps({"workers": list(seen)}))
        sys.stdout.flush()
    elif as_json:
        show_json({"workers": list(seen)})
    elif seen:
        show_table(HEADINGS, [[str(each[key] or "-") for key in KEYS] for each in seen])
    else:
        say("this machine has joined no cluster")


def _activity(here: Joined) -> str:
    """What it does besides running."""
    does = here.does() if here.lives else ""
    return "" if does in ("", "running") else f"it is {does}"
