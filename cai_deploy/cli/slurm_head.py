"""Finding a head by the number of its job, and waiting for one that is still starting."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from cai_deploy import config
from cai_deploy.clock import Clock
from cai_deploy.errors import DeployError, PlaceUnreachable
from cai_deploy.places.slurm.head_jobs import HeadInfo, HeadJob, HeadNotReady, announced, head_job, located
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.session import project_directory
from cai_deploy.state import NodeState

LOOK = 1.0
"""Seconds between two looks."""

CONNECT_PATIENCE = 5.0


def guesses(config_file: Path | None) -> list[Path]:
    """Where the cluster's files may be: where the specification says, and here."""
    return [project_directory(config.load(config_file)), Path.cwd()]


def running_head(
    queue: Queue, job_id: int, where: list[Path], patience: float, clock: Clock, say: Callable[[str], None]
) -> tuple[HeadJob, HeadInfo]:
    """The head with this number, once it runs and has said where it is.

    Raises NoSuchHead, HeadNotReady after ``patience`` seconds, or whatever Slurm answers.
    """
    end, told = clock.now() + patience, ""
    while True:
        mark, job = head_job(queue, job_id)
        if job.standing.state is NodeState.RUNNING:
            head = located(mark, job, where)
            info = announced(head)
            if info:
                return head, _living(info)
            standing = "it runs, and has not said yet where it is"
        else:
            standing = job.standing.sentence
            if job.standing.state is NodeState.PENDING and not job.standing.waiting_helps:
                raise DeployError(f"the head, job {job_id}, does not start", why=standing, next_step="launch it anew")
        if clock.now() >= end:
            raise HeadNotReady(
                f"the head, job {job_id}, is not ready after {patience:g} seconds",
                why=standing,
                next_step="wait longer with --patience SECONDS, or see `python -m cai_deploy explain`",
            )
        if standing != told:
            say(f"waiting for the head, job {job_id}: {standing}")
            told = standing
        clock.sleep(LOOK)


def check_network(info: HeadInfo) -> None:
    """Raises PlaceUnreachable when the head's GCS cannot be reached from this machine."""
    host, _, port = info.connection.gcs_address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_PATIENCE).close()
    except OSError as error:
        raise PlaceUnreachable(
            f"the head does not answer at {info.connection.gcs_address}",
            why=str(error),
            next_step="if machines reach each other and this one alone does not reach them: --no-network-check",
        ) from error


def _living(info: HeadInfo) -> HeadInfo:
    head = info.connection
    if head.ended_at:
        raise DeployError(
            f"the head, job {info.job_id}, has ended its cluster",
            why=head.ended_why,
            next_step="start it again: python -m cai_deploy launch",
        )
    return info
