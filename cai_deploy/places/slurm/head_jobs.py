"""A head that is a job, found by the job's number alone: its mark, its directory, and what it says of itself.

A mark holds a digest of the directory, not its name, so that every guess can be checked: the directory that a person
names, the one that they stand in, or the one below which Slurm says that the job writes. Reads only, and never waits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import connection, layout
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConnectionFileError, DeployError, Fault
from cai_deploy.places.slurm import marks
from cai_deploy.places.slurm.answers import Job
from cai_deploy.places.slurm.marks import Mark
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.spec import HEAD

LIST = "see which heads there are: python -m cai_deploy slurm list"


class NoSuchHead(DeployError):
    """The number is of no job that is a head, or of one that has ended."""


class HeadNotReady(DeployError):
    """The head has not started in time."""

    exit_code = 3
    fault: Fault = "platform"
    retry_helps = True


@dataclass(frozen=True)
class HeadJob:
    """A head's job, and where the files of its cluster are."""

    mark: Mark
    job: Job
    directory: Path


@dataclass(frozen=True)
class HeadInfo:
    """What a head says of itself, with what a batch job has beside: its machine and the first port of its block."""

    connection: ConnectionInfo
    job_id: int
    machine: str
    port_offset: int


def head_job(queue: Queue, job_id: int) -> tuple[Mark, Job]:
    """The job with this number, which is a head's and has not ended. Raises NoSuchHead."""
    job = queue.job(job_id)
    if job is None:
        raise NoSuchHead(f"Slurm knows no job {job_id}", why="it ended some time ago, or never was", next_step=LIST)
    mark = marks.read(job.comment, job.name)
    if mark is None or mark.node != HEAD:
        what = f"it is {mark.node} of the cluster {mark.cluster}" if mark else "it carries no mark of cai_deploy"
        raise NoSuchHead(f"job {job_id} is no head of a cluster", why=what, next_step=LIST)
    if job.over:
        raise NoSuchHead(
            f"the head of the cluster {mark.cluster}, job {job_id}, has ended",
            why=job.standing.sentence,
            next_step=f"start it again with `python -m cai_deploy launch`, or {LIST}",
        )
    return mark, job


def located(mark: Mark, job: Job, guesses: Iterable[Path]) -> HeadJob:
    """The head's job with its directory. Raises DeployError when no guess is right."""
    for directory in (*guesses, *_written_below(job)):
        if mark.owner in (marks.owner_of(str(directory)), marks.owner_of(str(directory.resolve()))):
            return HeadJob(mark, job, directory)
    raise DeployError(
        f"where the files of the cluster {mark.cluster} are is not known",
        why=f"job {job.job_id} does not tell, and it is neither this directory nor the one in cai-deploy.yaml",
        next_step="run this in the directory that the cluster was launched from",
    )


def announced(head: HeadJob) -> HeadInfo | None:
    """What the head says of itself; None while it has said nothing. Raises ConnectionFileError, DeployError."""
    file = head.directory / layout.head_job_file(head.mark.cluster, head.job.job_id)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DeployError(
            f"what the head says of itself cannot be read: {file}",
            why=str(error.strerror),
            next_step="a cluster is its owner's: launch one of your own, or ask them",
        ) from error
    info = connection.parse(text, source=str(file))
    data = json.loads(text)
    try:
        return HeadInfo(info, head.job.job_id, str(data["head_node"]), int(data["port_offset"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ConnectionFileError(f"{file} lacks a field", why=str(error)) from error


def _written_below(job: Job) -> Iterator[Path]:
    """The directories that the place where the job writes allows for."""
    # Slurm tells the name as it was given, where %% stands for a %.
    for told in (job.standard_output, job.standard_output.replace("%%", "%")):
        parts = Path(told).parts
        yield from (Path(*parts[:index]) for index, part in enumerate(parts) if part == layout.STATE_DIR and index)
