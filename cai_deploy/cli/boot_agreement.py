"""Showing people what is to be written where machines look when they boot, and asking whether it may be."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from cai_deploy.cli.output import say
from cai_deploy.errors import ConfigError
from cai_deploy.places.ssh.boot_entries import BootEntry

YES = click.option("--yes", is_flag=True, help="Write it without asking.")


def agreed(entries: Sequence[BootEntry], *, yes: bool) -> list[BootEntry]:
    """Those that do not stand yet, once they may be written. Raises ConfigError where nobody can be asked."""
    missing = [entry for entry in entries if not entry.stands]
    for entry in entries:
        show(entry)
    if not missing or yes:
        return missing
    if not sys.stdin.isatty():
        raise ConfigError("nobody is here to be asked whether this may be written", next_step="say it: --yes")
    return missing if click.confirm("Write it?", err=True) else []


def show(entry: BootEntry) -> None:
    """One of them, in full."""
    if entry.stands:
        say(f"{entry.where} on {entry.machine} has it start its nodes when it boots already: nothing to do")
        return
    say(f"for {entry.where} on {entry.machine}, which then starts its nodes when it boots:")
    for line in entry.text.splitlines():
        say(f"  {line}")
    if entry.note:
        say(f"  ({entry.note})")
