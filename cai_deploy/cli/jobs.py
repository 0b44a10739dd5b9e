"""``jobs``: what runs and ran on the cluster, and what it has written."""

from __future__ import annotations

import time
from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.output import say, show_json, show_table
from cai_deploy.cli.watching import follow_to_the_end, writer
from cai_deploy.clock import SystemClock
from cai_deploy.session import open_session
from cai_deploy.submission.ending import stop
from cai_deploy.submission.follow import Pace
from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import Jobs, must_find
from cai_deploy.submission.ray_jobs import open_jobs

PATIENCE = 60.0
"""Seconds for a head that is just up, or just moving."""

ID = click.argument("job_id", metavar="ID")


@click.group("jobs")
def command() -> None:
    """The jobs of the cluster: what runs, what ran, and what it has written.

    \b
    Examples:
      python -m cai_deploy jobs list
      python -m cai_deploy jobs logs --follow ID
    """


@command.command("list")
@config_option
@json_option
def list_(config: Path | None, as_json: bool) -> None:
    """Every job that the cluster remembers, the latest first.

    \b
    Examples:
      python -m cai_deploy jobs list
      python -m cai_deploy jobs list --json
    """
    found = sorted(jobs_of(config).all(), key=lambda job: job.started_ms, reverse=True)
    if as_json:
        show_json({"jobs": [job.document() for job in found]})
        return
    if not found:
        say("no jobs yet; `submit` makes one")
        return
    rows = [(job.id, job.status, moment(job.started_ms), took(job), job.entrypoint) for job in found]
    show_table(("ID", "STATUS", "STARTED (UTC)", "TOOK", "COMMAND"), rows)


@command.command("status")
@ID
@config_option
@json_option
def status(job_id: str, config: Path | None, as_json: bool) -> None:
    """How the job ID is. The exit code says that it was found, not how it is.

    \b
    Examples:
      python -m cai_deploy jobs status ID
    """
    job = must_find(jobs_of(config), job_id)
    if as_json:
        show_json(job.document())
        return
    click.echo(job.status)
    say(job.end_in_words if job.ended else f"job {job.id} started {moment(job.started_ms)} UTC: {job.entrypoint}")


@command.command("logs")
@ID
@click.option("--follow", "-f", is_flag=True, help="Go on until the job ends, and end as it ends, as submit does.")
@click.option("--patience", type=click.FloatRange(1), default=Pace.patience, show_default=True, help="As for submit.")
@config_option
def logs(job_id: str, follow: bool, patience: float, config: Path | None) -> None:
    """What the job ID has written.

    \b
    Examples:
      python -m cai_deploy jobs logs ID
      python -m cai_deploy jobs logs --follow ID
    """
    jobs = jobs_of(config)
    if follow:
        must_find(jobs, job_id)
        follow_to_the_end(jobs, job_id, as_json=False, patience=patience)
    writer(as_json=False)(jobs.output(job_id))


@command.command("stop")
@ID
@config_option
@json_option
def stop_(job_id: str, config: Path | None, as_json: bool) -> None:
    """Stop the job ID, and wait until it has ended.

    \b
    Examples:
      python -m cai_deploy jobs stop ID
    """
    job, asked = stop(jobs_of(config), job_id, SystemClock())
    say(job.end_in_words if asked else f"nothing to do: {job.end_in_words}")
    if as_json:
        show_json(job.document())


def jobs_of(config: Path | None) -> Jobs:
    """The jobs of the cluster that the specification names."""
    return open_jobs(open_session(config).access(patience=PATIENCE))


def moment(milliseconds: int) -> str:
    """A time, for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(milliseconds / 1000)) if milliseconds else ""


def took(job: Job) -> str:
    """How long it ran, for people; "" while it does."""
    if not job.ended_ms or not job.started_ms:
        return ""
    minutes, seconds = divmod((job.ended_ms - job.started_ms) / 1000, 60)
    return f"{minutes:.0f} min {seconds:.0f} s" if minutes else f"{seconds:.1f} s"
