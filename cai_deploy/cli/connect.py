"""``connect``: how a cluster that runs is reached, in words, as variables for a shell, or through ports here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from cai_deploy.cli.options import config_option, json_option
from cai_deploy.cli.output import say, show_json
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.exports import assigned, certificate_line, for_jobs, in_the_project, notebook_lines, shell_lines
from cai_deploy.session import Session, open_session
from cai_deploy.state import Home, Observation

SUBMIT = 'python -m cai_deploy submit -- python -c "import ray; …"'
PORT = click.IntRange(1, 65535)


@click.command("connect")
@click.option("--shell", is_flag=True, help='Print variables for Ray\'s own commands: eval "$(… connect --shell)".')
@click.option("--tunnel", is_flag=True, help="Open ports here for Ray Client and the dashboard, until Ctrl-C.")
@click.option("--port", type=PORT, help="With --tunnel: the port for Ray Client. Default: 10001 if it is free.")
@click.option("--dashboard-port", type=PORT, help="With --tunnel: the dashboard's. Default: 8265 if it is free.")
@click.option("--slurm", "head_job", type=click.IntRange(1), metavar="JOB", help="The head that is this job of Slurm.")
@click.option("--export", "exported", is_flag=True, help="With --slurm: print NAME=value lines for scripts.")
@config_option
@json_option
def command(
    shell: bool,
    tunnel: bool,
    port: int | None,
    dashboard_port: int | None,
    head_job: int | None,
    exported: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Say how to reach the cluster: from here, from a notebook, with Ray's own commands.

    Only --shell prints secrets, and never on a terminal: they are for `eval`.

    \b
    Examples:
      python -m cai_deploy connect
      eval "$(python -m cai_deploy connect --shell)"; ray job list
      python -m cai_deploy connect --tunnel
      set -a; eval "$(python -m cai_deploy connect --slurm 4711 --export)"; set +a
    """
    check(for_shell=shell, tunnel=tunnel, ports=(port, dashboard_port), as_json=as_json)
    check_slurm(head_job, exported=exported, other_ways=shell or tunnel, as_json=as_json)
    if head_job is not None:
        from cai_deploy.cli.slurm_connecting import connect_to

        connect_to(head_job, config, exported=exported, as_json=as_json)
        return
    session = open_session(config)
    if tunnel:
        from cai_deploy.cli.tunnelling import hold_open
        from cai_deploy.tunnel.ports import Wish

        if session.configured.tls:
            say("the cluster speaks TLS: the tunnel serves dashboard and jobs, Ray Client works in the project alone")
        hold_open(session.access(), Wish(port, dashboard_port), as_json=as_json)
        return
    if shell:
        click.echo("\n".join(shell_lines(for_jobs(session.access()))))
        return
    info, home = announced(session)
    if as_json:
        show_json(document(info, home))
    else:
        click.echo("\n".join(all_lines(info, home)))


def check(*, for_shell: bool, tunnel: bool, ports: tuple[int | None, ...], as_json: bool) -> None:
    """Raises ConfigError for options that do not go together, and for secrets that would be shown to whoever looks."""
    if for_shell and (tunnel or as_json):
        raise ConfigError("--shell goes with neither --tunnel nor --json")
    if any(ports) and not tunnel:
        raise ConfigError("--port and --dashboard-port are for --tunnel")
    if for_shell and sys.stdout.isatty():
        raise ConfigError(
            "--shell prints secrets, and this is a terminal",
            next_step='eval "$(python -m cai_deploy connect --shell)"',
        )


def check_slurm(head_job: int | None, *, exported: bool, other_ways: bool, as_json: bool) -> None:
    """Raises ConfigError for options that do not go together with a head's job, or without one."""
    if exported and head_job is None:
        raise ConfigError("--export is for --slurm", next_step="python -m cai_deploy connect --slurm JOB --export")
    if exported and as_json:
        raise ConfigError("--export does not go with --json")
    if head_job is not None and other_ways:
        raise ConfigError("--slurm goes with neither --shell nor --tunnel", next_step="those find the head themselves")


def announced(session: Session) -> tuple[ConnectionInfo, Home]:
    """What the head says of itself, and where its files are. Raises NoHead when there is none that answers."""
    seen: Observation = session.place.observe_cluster(session.configured)
    if seen.connection is None:
        session.access()  # says why
        raise DeployError(
            f"cluster {session.configured.name} runs inline commands, whose head says nothing of itself",
            next_step=f"its jobs can be reached all the same: {SUBMIT}",
        )
    return seen.connection, seen.home


def connect_lines(info: ConnectionInfo) -> list[str]:
    """What a person wants first, after a launch and in the status."""
    return [
        f"dashboard   {info.dashboard_url}",
        f"a job       {SUBMIT}",
        "and more    python -m cai_deploy connect",
    ]


def all_lines(info: ConnectionInfo, home: Home) -> list[str]:
    """Every way to the cluster, for people. No secret is among them."""
    variables = in_the_project(info, home.directory)
    words = " ".join(assigned(variables))
    from_here = (
        f"python -m cai_deploy connect --tunnel  (needs Ray {info.ray_version} and Python"
        f" {_minor(info.python_version)} here)"
    )
    tls_of = info.cluster if info.authority_path else ""
    certified = "with the Python of the cluster's nodes" + ("" if home.directory == "~" else f", in {home.directory}")
    return [
        f"dashboard      {info.dashboard_url}",
        f"a job          {SUBMIT}",
        'ray job ...    eval "$(python -m cai_deploy connect --shell)"',
        f"Ray Client     {f'{home.where} alone, as the cluster speaks TLS' if tls_of else from_here}",
        "on a node      ray.init('auto')",
        f"{home.where:<14} {words}",
        *([f"               {certificate_line(tls_of)}  ({certified})"] if tls_of else []),
        "",
        f"In a notebook {home.where}:",
        "",
        *(f"    {line}" for line in notebook_lines(variables, tls_of)),
    ]


def document(info: ConnectionInfo, home: Home) -> dict[str, Any]:
    """The same as data."""
    return {
        "cluster": info.cluster,
        "dashboard_url": info.dashboard_url,
        "gcs_address": info.gcs_address,
        "client_url": f"ray://{info.client_address}",
        "ray_version": info.ray_version,
        "python_version": info.python_version,
        "epoch": info.epoch,
        "submit": SUBMIT,
        "in_the_project": in_the_project(info, home.directory),
    }


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
