"""``deploy``: project -> code -> environment -> cluster, as CI calls it on every push."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.launch import wanted_spec
from cai_deploy.cli.options import config_option, inline_option, json_option, parallelism_option, workers_option
from cai_deploy.cli.outcome import converge_and_show
from cai_deploy.session import Session, open_session
from cai_deploy.spec import ClusterSpec


@click.command("deploy")
@workers_option
@inline_option
@parallelism_option
@config_option
@json_option
def command(workers: int | None, inline: bool, parallelism: int, config: Path | None, as_json: bool) -> None:
    """Bring code, environment and cluster to the newest commit.

    Like launch, but the project's clone is first brought to the commit that you stand on (or that project.git_ref
    names). The environment is built again only when the locked requirements changed.

    \b
    Examples:
      python -m cai_deploy deploy
      python -m cai_deploy deploy --workers 4 --json
    """
    session = open_session(config, sync_code=True, parallelism=parallelism)
    converge_and_show(session, spec_to_deploy(session, workers, inline=inline), as_json=as_json)


def spec_to_deploy(session: Session, workers: int | None, *, inline: bool) -> ClusterSpec:
    """What a launch wants, but for what was rolled back to: a launch keeps that, and here new code is asked for."""
    spec = wanted_spec(session, workers, inline=inline)
    return spec if session.from_file else spec.unpinned()
