"""``schedule``: what happens to a cluster by the clock, apart from the cluster itself.

`launch` and `deploy` bring the schedule along; here it is changed while the nodes are left as they are.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.output import plan_document, say, show_json, show_table
from cai_deploy.cli.plan import CHANGES, show_plan
from cai_deploy.cli.progress import Story
from cai_deploy.deploy import preview_jobs
from cai_deploy.deploy import schedule as bring_to
from cai_deploy.errors import DeployError
from cai_deploy.places.appointment import Appointment
from cai_deploy.session import Session, open_session
from cai_deploy.spec import ClusterSpec, Schedule
from cai_deploy.spec.schedule import next_time

MINUTES = "%Y-%m-%dT%H:%M"


@click.group("schedule")
def command() -> None:
    """What happens to the cluster by the clock: show it, plan it, apply it, remove it.

    \b
    Examples:
      python -m cai_deploy schedule plan
      python -m cai_deploy schedule apply
      python -m cai_deploy schedule list
      python -m cai_deploy schedule remove
    """


@command.command("plan")
@click.option("--requests", is_flag=True, help="Print the request of each step too.")
@click.option("--exit-code", is_flag=True, help="Answer 0 for no change, 2 for changes, 1 for an error.")
@config_option
@json_option
def plan(requests: bool, exit_code: bool, config: Path | None, as_json: bool) -> None:
    """Show what `schedule apply` would change, and change nothing.

    \b
    Examples:
      python -m cai_deploy schedule plan --requests
      python -m cai_deploy schedule plan --exit-code --json
    """
    session = open_session(config)
    spec = with_schedule(in_force(session), session.spec_to_launch().schedule)
    steps = preview_jobs(session.place, spec).plan
    if as_json:
        show_json(document(spec, session, converged=steps.converged, plan=plan_document(steps)))
    else:
        show_plan(steps, requests=requests)
    if exit_code and steps.changes:
        sys.exit(CHANGES)


@command.command("apply")
@config_option
@json_option
def apply(config: Path | None, as_json: bool) -> None:
    """Bring the jobs to what the specification says. Run it again at any time: it changes only what differs.

    \b
    Examples:
      python -m cai_deploy schedule apply
      python -m cai_deploy schedule apply --config cai-deploy.yaml --json
    """
    session = open_session(config)
    spec = with_schedule(in_force(session), session.spec_to_launch().schedule)
    bring(session, spec, as_json=as_json)


@command.command("remove")
@config_option
@json_option
def remove(config: Path | None, as_json: bool) -> None:
    """Remove the jobs of the schedule; the watchdog stays. `launch` brings back what the specification still says.

    \b
    Examples:
      python -m cai_deploy schedule remove
    """
    session = open_session(config)
    bring(session, with_schedule(in_force(session), Schedule()), as_json=as_json)


@command.command("list")
@config_option
@json_option
def list_(config: Path | None, as_json: bool) -> None:
    """Every job that acts on the cluster, when it comes next, and how it ended the last time.

    \b
    Examples:
      python -m cai_deploy schedule list --json
    """
    session = open_session(config)
    found = session.place.appointments(session.configured)
    if as_json:
        jobs = [{**asdict(each), "next": next_of(each)} for each in found]
        show_json({"cluster": session.configured.name, "place": session.place.name, "jobs": jobs})
        return
    if not found:
        say(f"nothing happens to cluster {session.configured.name} by the clock")
        return
    rows = [(each.name, when(each), next_of(each) or "-", each.last or "-", each.last_at[:16] or "-") for each in found]
    show_table(("JOB", "WHEN", "NEXT (UTC)", "LAST RUN", "AT (UTC)"), rows)


def in_force(session: Session) -> ClusterSpec:
    """What the cluster was last launched with. Raises DeployError when it never was."""
    spec = session.observe_cluster().applied_spec
    if spec is None:
        raise DeployError(
            f"there is no cluster {session.configured.name} that something could happen to",
            next_step="make it with `launch`, which brings its schedule along",
        )
    return spec


def with_schedule(spec: ClusterSpec, schedule: Schedule) -> ClusterSpec:
    """``spec`` with another ``schedule``."""
    return spec.model_copy(update={"schedule": schedule})


def bring(session: Session, spec: ClusterSpec, *, as_json: bool) -> None:
    """Bring what happens by the clock to ``spec``, and tell what that took."""
    with Story() as story:
        done = bring_to(session.place, spec, story)
    say(f"done in {done.seconds:.1f} s" if done.applied else "nothing to do")
    if as_json:
        steps = [str(step) for step in done.applied]
        show_json(document(spec, session, converged=True, steps=steps))


def document(spec: ClusterSpec, session: Session, **more: Any) -> dict[str, Any]:
    """What the verbs answer with that tell nothing of nodes."""
    return {"cluster": spec.name, "place": session.place.name, **more}


def when(job: Appointment) -> str:
    """When a job comes, for people."""
    if job.after:
        return f"after {job.after}"
    return f"{job.cron} {job.timezone}{' (paused)' if job.paused else ''}" if job.cron else "never"


def next_of(job: Appointment) -> str:
    """When a job comes next, in UTC; "" for one that does not by itself."""
    if not job.cron or job.paused:
        return ""
    moment = next_time(job.cron, job.timezone or "UTC", datetime.now(timezone.utc))
    return moment.strftime(MINUTES) if moment else ""
