"""``scale``: the cluster as it was last wanted, with another number of workers."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option, parallelism_option
from cai_deploy.cli.outcome import converge_and_show
from cai_deploy.cli.written import complete_groups
from cai_deploy.config import with_workers
from cai_deploy.errors import DeployError
from cai_deploy.session import open_session


@click.command("scale")
@click.option("--workers", type=click.IntRange(0, 10_000), required=True, help="The number of workers wanted.")
@click.option("--group", shell_complete=complete_groups, help="The worker group to change. Default: the first one.")
@parallelism_option
@config_option
@json_option
def command(workers: int, group: str | None, parallelism: int, config: Path | None, as_json: bool) -> None:
    """Change the number of workers, and nothing else.

    \b
    Examples:
      python -m cai_deploy scale --workers 4
      python -m cai_deploy scale --workers 0 --group gpu
    """
    session = open_session(config, parallelism=parallelism)
    applied = session.observe_cluster().applied_spec
    if applied is None:
        raise DeployError(f"there is no cluster {session.configured.name} to scale", next_step="make it with `launch`")
    spec = with_workers(applied, workers, group)
    converge_and_show(session, spec, as_json=as_json)
