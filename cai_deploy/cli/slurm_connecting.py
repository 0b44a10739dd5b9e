"""How a head that is a job of Slurm is reached, by the job's number: in words, as data, as variables for a script."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cai_deploy.cli.output import say, show_json
from cai_deploy.cli.slurm_head import guesses, running_head
from cai_deploy.clock import SystemClock
from cai_deploy.exports import HeadJob, assignment_lines, dashboard_of, for_scripts
from cai_deploy.places.slurm.head_jobs import HeadInfo
from cai_deploy.places.slurm.queue import Queue


def connect_to(job_id: int, config: Path | None, *, exported: bool, as_json: bool) -> None:
    """Show how the head with this number is reached. Raises NoSuchHead, HeadNotReady, or whatever Slurm answers."""
    head, info = running_head(Queue(), job_id, guesses(config), 0, SystemClock(), say)
    token = info.connection.token_path
    job = HeadJob(job_id, info.machine, info.port_offset, str(head.directory / token) if token else "")
    if exported:
        click.echo("\n".join(assignment_lines(for_scripts(info.connection, job))))
    elif as_json:
        show_json(document(info, job))
    else:
        click.echo("\n".join(lines(info)))


def lines(info: HeadInfo) -> list[str]:
    """For people."""
    head = info.connection
    ends = f", until {head.expires_at}" if head.expires_at else ""
    return [
        f"head         job {info.job_id} on {info.machine} ({head.node_address}), since {head.started_at}{ends}",
        f"dashboard    {dashboard_of(head)}",
        f"a script     python -m cai_deploy slurm run {info.job_id} SCRIPT.py",
        f"on a node    ray.init({head.gcs_address!r})",
        f"Ray Client   ray://{head.client_address}  (Ray {head.ray_version}, Python {head.python_version})",
        f'in a script  set -a; eval "$(python -m cai_deploy connect --slurm {info.job_id} --export)"; set +a',
    ]


def document(info: HeadInfo, job: HeadJob) -> dict[str, Any]:
    """As data: all that the head says of itself, and where its token is."""
    return {
        **asdict(info.connection),
        "dashboard_url": dashboard_of(info.connection),
        "job_id": info.job_id,
        "head_node": info.machine,
        "port_offset": info.port_offset,
        "token_file": job.token_path,
        "variables": for_scripts(info.connection, job),
    }
