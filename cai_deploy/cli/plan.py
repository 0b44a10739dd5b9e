"""``plan``: what launch would do, with the very requests, and nothing done."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from cai_deploy.cli.launch import wanted_spec
from cai_deploy.cli.options import config_option, inline_option, json_option, workers_option
from cai_deploy.cli.output import envelope, plan_document, show_json, shown_request
from cai_deploy.deploy import preview
from cai_deploy.session import open_session
from cai_deploy.state import Plan

CHANGES = 2


@click.command("plan")
@workers_option
@inline_option
@config_option
@json_option
@click.option("--requests", is_flag=True, help="Print the request of each step too.")
@click.option("--exit-code", is_flag=True, help="Answer 0 for no change, 2 for changes, 1 for an error.")
def command(
    workers: int | None, inline: bool, config: Path | None, as_json: bool, requests: bool, exit_code: bool
) -> None:
    """Show what launch would change, and change nothing."""
    session = open_session(config)
    spec = wanted_spec(session, workers, inline=inline)
    done = preview(session.place, spec)
    if as_json:
        steps = plan_document(done.plan)
        show_json(envelope(spec.name, session.place.name, done.seen, converged=done.plan.converged, plan=steps))
    else:
        show_plan(done.plan, requests=requests)
    if exit_code and done.plan.changes:
        sys.exit(CHANGES)


def show_plan(plan: Plan, *, requests: bool) -> None:
    """The steps in order, for people."""
    if plan.converged:
        click.echo("nothing to do")
    for step in plan.steps:
        click.echo(str(step))
        if requests and step.request:
            click.echo(json.dumps(shown_request(step), indent=2))
