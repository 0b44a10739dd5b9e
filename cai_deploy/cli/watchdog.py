"""``watchdog``: one look after the cluster with nobody watching: heal it, make it smaller, or put it to sleep."""

from __future__ import annotations

from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option, parallelism_option
from cai_deploy.cli.output import envelope, say, show_json
from cai_deploy.cli.progress import Story
from cai_deploy.deploy import Watched, watch
from cai_deploy.places.base import Seen
from cai_deploy.session import open_session

STORIES = {
    "keep": "kept as specified",
    "shrink": "only the floor is kept",
    "sleep": "put to sleep; `launch` wakes it",
    "rest": "stays asleep; `launch` wakes it",
}


@click.command("watchdog")
@click.option("--cluster", help="The cluster to look after. Default: the one that the specification names.")
@parallelism_option
@config_option
@json_option
def command(cluster: str | None, parallelism: int, config: Path | None, as_json: bool) -> None:
    """Look after the cluster once, as its watchdog does by the clock.

    What was last launched counts: nodes that are missing or have failed are brought back, a cluster without work is
    made smaller or put to sleep, as its specification says, and one whose time is over is put to sleep.

    \b
    Examples:
      python -m cai_deploy watchdog
      python -m cai_deploy watchdog --cluster gpu --json
    """
    session = open_session(config, parallelism=parallelism)
    named = session.configured.model_copy(update={"name": cluster or session.configured.name})
    seen = session.place.observe_cluster(named)
    spec = seen.applied_spec
    if spec is None:
        say(f"nothing to do: there is no cluster {named.name} here")
        if as_json:
            show_json(envelope(named.name, session.place.name, seen, converged=True, decision="none", why=""))
        return
    # What fails here fails again in some minutes, so that no evidence is kept of it: the next launch keeps it once.
    with Story() as story:
        watched = watch(session.place, spec, story, parallelism=parallelism)
    for line in told(watched):
        say(line)
    if as_json:
        decision = watched.decision
        steps = [str(step) for step in watched.done.applied]
        document = envelope(
            spec.name,
            session.place.name,
            watched.done.seen,
            converged=True,
            decision=decision.what,
            why=decision.why,
            steps=steps,
        )
        show_json(document)


def told(watched: Watched[Seen]) -> list[str]:
    """What was found, and what was done about it."""
    decision, done = watched.decision, watched.done
    found = f"{decision.why}: {STORIES[decision.what]}"
    nodes = f"{len(done.seen.nodes)} nodes"
    return [found, f"done in {done.seconds:.1f} s: {nodes}" if done.applied else f"nothing to do: {nodes}"]
