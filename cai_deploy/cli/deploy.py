"""``deploy``: project -> code -> environment -> cluster, as CI calls it on every push."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.launch import wanted_spec
from cai_deploy.cli.options import config_option, inline_option, json_option, workers_option
from cai_deploy.cli.outcome import converge_and_show
from cai_deploy.session import open_session


@click.command("deploy")
@workers_option
@inline_option
@config_option
@json_option
def command(workers: int | None, inline: bool, config: Path | None, as_json: bool) -> None:
    """Bring code, environment and cluster to the newest commit.

    Like launch, but the project's clone is first brought to the commit that you stand on (or that project.git_ref
    names). The environment is built again only when the locked requirements changed.
    """
    session = open_session(config, sync_code=True)
    spec = wanted_spec(session, workers, inline=inline)
    converge_and_show(session, spec, as_json=as_json)
