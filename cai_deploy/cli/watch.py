"""``watch``: the cluster page's facts in the terminal: in place on a terminal, elsewhere a line for each change."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.output import say, show_table
from cai_deploy.cli.watch_page import NODE_HEADINGS, changes, event_lines, job_rows, node_rows, page, title
from cai_deploy.errors import DeployError
from cai_deploy.overview import Head, Overview
from cai_deploy.session import Session, open_session


@dataclass(frozen=True)
class Look:
    """One look at the cluster: what was seen, or why nothing was."""

    seen: Overview | None
    why: str = ""


@click.command("watch")
@click.option("--once", is_flag=True, help="Show it once and end.")
@click.option("--every", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True, help="Seconds.")
@config_option
@json_option
def command(once: bool, every: float, config: Path | None, as_json: bool) -> None:
    """Show nodes, jobs and events as they are and as they change, until Ctrl-C.

    With --json, one document a line for each change.

    \b
    Examples:
      python -m cai_deploy watch --every 5
      python -m cai_deploy watch --once --json
    """
    session = open_session(config)
    first = Head(session.access())
    if once:
        show(first.overview(), as_json=as_json)
        return
    looks = look(session, first, every)
    try:
        if as_json or not sys.stdout.isatty():
            tell(looks, as_json=as_json)
        else:
            draw(looks)
    except KeyboardInterrupt:
        say("")


def look(session: Session, head: Head, every: float) -> Iterator[Look]:
    """One look after the other; the way to a head that stays away is looked for again, as its token may be another."""
    missed = 0
    while True:
        try:
            if missed and missed % 5 == 0:
                head = Head(session.access())
            yield Look(head.overview())
            missed = 0
        except DeployError as error:
            missed += 1
            yield Look(None, error.why or error.what)
        time.sleep(every)


def show(seen: Overview, *, as_json: bool) -> None:
    """The whole of it, once."""
    if as_json:
        click.echo(json.dumps(seen.document, indent=2))
        return
    click.echo(title(seen))
    show_table(NODE_HEADINGS, node_rows(seen))
    for heading, lines in (("JOBS", ["  ".join(row) for row in job_rows(seen)]), ("EVENTS", event_lines(seen))):
        if lines:
            click.echo("\n".join(("", heading, *lines)))


def tell(looks: Iterator[Look], *, as_json: bool) -> None:
    """What there is, and then each change as a line."""
    before: Overview | None = None
    away = ""
    for each in looks:
        if each.seen is None:
            if not away:
                say(f"the head does not answer ({each.why}); looking again")
            away = each.why or "away"
            continue
        if away:
            say("the head answers again")
        away = ""
        if as_json:
            if before is None or _without_time(before) != _without_time(each.seen):
                click.echo(json.dumps(each.seen.document))
        elif before is None:
            show(each.seen, as_json=False)
        else:
            for line in changes(before, each.seen):
                click.echo(line)
        sys.stdout.flush()
        before = each.seen


def draw(looks: Iterator[Look]) -> None:
    """The same place on the terminal, again and again."""
    from rich.live import Live

    last: Overview | None = None
    with Live(auto_refresh=False, screen=True) as live:
        for each in looks:
            last = each.seen or last
            live.update(page(last, each.why), refresh=True)


def _without_time(seen: Overview) -> dict[str, Any]:
    return {name: value for name, value in seen.document.items() if name != "now"}
