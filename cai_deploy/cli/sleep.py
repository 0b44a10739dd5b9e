"""``sleep``: no node is left, all else stays, and the next launch wakes the cluster."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option, parallelism_option
from cai_deploy.cli.output import envelope, say, show_json
from cai_deploy.cli.progress import Story
from cai_deploy.deploy import put_to_sleep
from cai_deploy.session import open_session

ASKED = "it was asked to"


@click.command("sleep")
@click.option("--why", default=ASKED, show_default=True, help="The reason that `status` tells.")
@parallelism_option
@config_option
@json_option
def command(why: str, parallelism: int, config: Path | None, as_json: bool) -> None:
    """Put the cluster to sleep: workers finish their work, then no node is left. `launch` wakes it as it was.

    \b
    Examples:
      python -m cai_deploy sleep
      python -m cai_deploy sleep --why "the project is on holiday"
    """
    session = open_session(config, parallelism=parallelism)
    seen = session.observe_cluster()
    spec = seen.applied_spec
    if spec is None:
        say(f"nothing to do: there is no cluster {session.configured.name} here")
    else:
        with Story() as story:
            done = put_to_sleep(session.place, spec, story, why=why, parallelism=parallelism)
        seen = done.seen
        say(f"asleep after {done.seconds:.1f} s; `launch` wakes it" if done.applied else "nothing to do: it sleeps")
    if as_json:
        show_json(envelope(session.configured.name, session.place.name, seen, converged=True))
