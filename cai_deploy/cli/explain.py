"""``explain``: what a cluster has written, and what is known about signs like that."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.output import say, show_json
from cai_deploy.diagnosis import Exhibit, Finding, diagnose
from cai_deploy.redaction import without_credentials
from cai_deploy.session import open_session
from cai_deploy.shell import last_lines

SHOWN_LINES = 5


@click.command("explain")
@click.option(
    "--save", type=click.Path(path_type=Path, dir_okay=False), help="Write all that was found into this file."
)
@config_option
@json_option
def command(save: Path | None, config: Path | None, as_json: bool) -> None:
    """Say what is wrong with the cluster: causes that are known, or else the last lines that were written.

    \b
    Examples:
      python -m cai_deploy explain
      python -m cai_deploy explain --save evidence.txt
    """
    session = open_session(config)
    exhibits = session.place.evidence(session.configured)
    findings = diagnose(exhibits)
    if save:
        save.write_text(as_text(exhibits), encoding="utf-8")
        say(f"wrote {save}")
    if as_json:
        show_json({"findings": [asdict(each) for each in findings], "exhibits": [asdict(each) for each in exhibits]})
        return
    for finding in findings:
        click.echo("\n".join(finding_lines(finding)))
    if not findings:
        say("no known sign of trouble" if exhibits else "there is nothing here that could have trouble")
        for exhibit in exhibits:
            click.echo(f"==> {exhibit.source} <==\n{last_lines(exhibit.text, SHOWN_LINES)}")


def finding_lines(finding: Finding) -> list[str]:
    """A finding, for people."""
    return [f"{finding.cause}", f"  {finding.source}: {finding.line}", f"  what to do: {finding.fix}"]


def as_text(exhibits: tuple[Exhibit, ...]) -> str:
    """Everything, one after the other."""
    parts = (f"==> {exhibit.source} <==\n{without_credentials(exhibit.text)}" for exhibit in exhibits)
    return "\n\n".join(parts) + "\n"
