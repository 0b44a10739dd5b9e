"""A job's output, until the job ends or the person leaves: the output on stdout as it is, the story on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from cai_deploy.cli.output import say, show_json
from cai_deploy.submission.follow import Follower, Pace
from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import Jobs, must_find

DETACHED = 130
"""As a shell reports a program that was interrupted. The job goes on: nothing is known of its end."""


def follow_to_the_end(jobs: Jobs, job_id: str, *, as_json: bool, patience: float) -> None:
    """Show the job's output and end as it ends; with ``as_json`` stdout is for the document alone."""
    follower = Follower(jobs, job_id, writer(as_json=as_json), say, Pace(patience=patience))
    while True:
        try:
            job = follower.follow()
        except KeyboardInterrupt:
            leave_or_stop(jobs, job_id)
        except BrokenPipeError:
            sys.stdout = None  # nobody reads it any more, not even its last flush
            detach(job_id)
        else:
            end_as(job, as_json=as_json)


def end_as(job: Job, *, as_json: bool) -> None:
    """Say how ``job`` ended, and end likewise."""
    say(job.end_in_words)
    if as_json:
        show_json(job.document())
    raise SystemExit(job.exit_code)


def leave_or_stop(jobs: Jobs, job_id: str) -> None:
    """After Ctrl-C: what the person wants. Returns when the job is to be followed on."""
    if not on_a_terminal():
        detach(job_id)
    click.echo(err=True)
    try:
        answer = click.prompt(
            f"job {job_id} goes on: detach, stop it, or continue to watch?",
            type=click.Choice(("d", "s", "c")),
            default="d",
            err=True,
        )
    except (click.Abort, KeyboardInterrupt):
        answer = "d"
    if answer == "d":
        detach(job_id)
    if answer == "s" and not must_find(jobs, job_id).ended:
        jobs.stop(job_id)
        say(f"job {job_id} is asked to stop")


def on_a_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def detach(job_id: str) -> None:
    """Leave the job alone, and say how to come back."""
    say(f"detached: job {job_id} goes on")
    say(f"  follow it  python -m cai_deploy jobs logs --follow {job_id}")
    say(f"  stop it    python -m cai_deploy jobs stop {job_id}")
    raise SystemExit(DETACHED)


def writer(*, as_json: bool) -> Callable[[str], None]:
    """Writes text as it is, whatever the terminal's encoding."""
    stream = sys.stderr.buffer if as_json else sys.stdout.buffer

    def write(text: str) -> None:
        stream.write(text.encode("utf-8", "replace"))
        stream.flush()

    return write
