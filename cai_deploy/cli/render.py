"""``render``: the launcher scripts as they would be uploaded."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.launch import wanted_spec
from cai_deploy.cli.options import config_option, workers_option
from cai_deploy.cli.output import say
from cai_deploy.session import open_session


@click.command("render")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write the files into this directory.")
@workers_option
@config_option
def command(out: Path | None, workers: int | None, config: Path | None) -> None:
    """Show the launcher scripts, or write them to a directory.

    To change one, copy it into your repository, edit it, and point head.script or a group's script at it.
    """
    session = open_session(config)
    spec = wanted_spec(session, workers, inline=False)
    wanted = session.place.build(spec, session.place.observe_cluster(spec))
    for ground in wanted.ground:
        if ground.kind != "launcher":
            continue
        text = ground.request["body"]["content"]
        if out is None:
            click.echo(f"# ==> {ground.name} <==\n{text}")
        else:
            out.mkdir(parents=True, exist_ok=True)
            (out / ground.name).write_text(text, encoding="utf-8")
            say(f"wrote {out / ground.name}")
