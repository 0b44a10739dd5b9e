"""``gc``: what is ours and nobody wants any more."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.output import say, show_json, show_table
from cai_deploy.cli.progress import Story
from cai_deploy.deploy import collect
from cai_deploy.session import open_session


@click.command("gc")
@click.option("--yes", is_flag=True, help="Remove it. Without this it is only listed.")
@config_option
@json_option
def command(yes: bool, config: Path | None, as_json: bool) -> None:
    """List, or remove, what the project holds of ours and nobody wants any more.

    Applications and jobs of clusters that are gone, environments that no node runs on and no rollback needs, launchers
    that no cluster uses. What does not carry our mark is never touched.

    \b
    Examples:
      python -m cai_deploy gc
      python -m cai_deploy gc --yes
    """
    session = open_session(config)
    collector = session.place.collector(session.configured)
    found = collector.find() if collector else ()
    if collector and found and yes:
        with Story() as story:
            collect(collector, session.configured, story)
    if as_json:
        items = [{"kind": item.kind, "name": item.name, "reason": item.reason} for item in found]
        show_json({"leftovers": items, "removed": bool(found) and yes})
        return
    if not found:
        say("nothing to do: nothing is left over")
        return
    show_table(("KIND", "NAME", "WHY"), [(item.kind, item.name, item.reason) for item in found])
    say(f"{len(found)} removed" if yes else "`gc --yes` removes them")
