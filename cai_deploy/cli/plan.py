"""``plan``: what launch or deploy would do, with the very requests, and nothing done."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from cai_deploy.cli.deploy import spec_to_deploy
from cai_deploy.cli.github import plan_markdown
from cai_deploy.cli.launch import reached_spec, wanted_spec
from cai_deploy.cli.options import (
    config_option,
    inline_option,
    json_option,
    markdown_option,
    rollback_option,
    workers_option,
)
from cai_deploy.cli.output import envelope, plan_document, show_code, show_json, shown_request
from cai_deploy.deploy import preview
from cai_deploy.errors import ConfigError
from cai_deploy.session import Session, open_session
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Plan

CHANGES = 2


@click.command("plan")
@workers_option
@inline_option
@rollback_option
@click.option("--deploy", is_flag=True, help="What deploy would change: the newest commit comes too.")
@config_option
@json_option
@markdown_option
@click.option("--requests", is_flag=True, help="Print the request of each step too.")
@click.option("--exit-code", is_flag=True, help="Answer 0 for no change, 2 for changes, 1 for an error.")
def command(
    workers: int | None,
    inline: bool,
    rollback: bool,
    deploy: bool,
    config: Path | None,
    as_json: bool,
    markdown: bool,
    requests: bool,
    exit_code: bool,
) -> None:
    """Show what launch would change, and change nothing.

    \b
    Examples:
      python -m cai_deploy plan --workers 3
      python -m cai_deploy plan --requests
      python -m cai_deploy plan --exit-code --json
      python -m cai_deploy plan --deploy --markdown >> "$GITHUB_STEP_SUMMARY"
    """
    check(deploy=deploy, rollback=rollback, markdown=markdown, other_ways=as_json or requests)
    session = open_session(config, sync_code=deploy, reads_code=True)
    spec = _wanted(session, workers, deploy=deploy, rollback=rollback, inline=inline)
    done = preview(session.place, spec)
    if as_json:
        steps = plan_document(done.plan)
        show_json(envelope(spec.name, session.place.name, done.seen, converged=done.plan.converged, plan=steps))
    elif markdown:
        click.echo(plan_markdown(spec.name, "deploy" if deploy else "launch", done.plan))
    else:
        show_code(done.seen)
        show_plan(done.plan, requests=requests)
    if exit_code and done.plan.changes:
        sys.exit(CHANGES)


def check(*, deploy: bool, rollback: bool, markdown: bool, other_ways: bool) -> None:
    """Raises ConfigError for options that do not go together."""
    if deploy and rollback:
        raise ConfigError("--deploy asks for what is newest, --rollback for what was last reached")
    if markdown and other_ways:
        raise ConfigError("--markdown goes with neither --json nor --requests")


def _wanted(session: Session, workers: int | None, *, deploy: bool, rollback: bool, inline: bool) -> ClusterSpec:
    if rollback:
        return reached_spec(session)
    return (spec_to_deploy if deploy else wanted_spec)(session, workers, inline=inline)


def show_plan(plan: Plan, *, requests: bool) -> None:
    """The steps in order, for people."""
    if plan.converged:
        click.echo("nothing to do")
    for step in plan.steps:
        click.echo(str(step))
        if requests and step.request:
            click.echo(json.dumps(shown_request(step), indent=2))
