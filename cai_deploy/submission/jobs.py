"""The seam to a cluster's jobs: what a submission needs of them, and the ways in which they cannot be had.

Ray's client is behind it (``ray_jobs.py``), and a fake in tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cai_deploy.errors import AuthenticationError, DeployError, Fault
from cai_deploy.submission.job import Job


class HeadAway(DeployError):
    """The head does not answer now: it is starting, moving, or gone. Asking again may help."""

    exit_code = 5
    fault: Fault = "platform"
    retry_helps = True


class NoSuchJob(DeployError):
    """The cluster does not know the job."""


class Refused(AuthenticationError):
    """The cluster, or what stands in front of it, does not let us in."""


class JobsRefusal(DeployError):
    """The cluster answered, and will not do what it was asked."""


@dataclass(frozen=True)
class Request:
    """A job to be. ``package`` is a zip of the working directory that is brought to the cluster with it.

    ``on`` are the labels that the node must have where the program runs; None leaves it to Ray, which takes the head.
    """

    id: str
    entrypoint: str
    runtime_env: Mapping[str, Any] = field(default_factory=dict, repr=False)
    package: Path | None = None
    num_cpus: float = 0
    num_gpus: float = 0
    memory: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    on: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Member:
    """A node that is ALIVE, as far as it matters for where a program may run."""

    labels: Mapping[str, str]
    resources: Mapping[str, float]
    address: str = ""


class Jobs(Protocol):
    """The jobs of one cluster. Every call may raise HeadAway, Refused or JobsRefusal."""

    def members(self) -> Sequence[Member]:
        """The nodes that are ALIVE."""
        ...

    def submit(self, request: Request) -> bool:
        """Have the cluster run it; whether its package had to be brought there."""
        ...

    def find(self, job_id: str) -> Job | None:
        """The job as it is now, None when the cluster does not know it."""
        ...

    def all(self) -> Sequence[Job]:
        """Every job that the cluster remembers."""
        ...

    def stop(self, job_id: str) -> None:
        """Ask for its end; it may take a while. Raises NoSuchJob."""
        ...

    def output(self, job_id: str) -> str:
        """All that it has written. Raises NoSuchJob."""
        ...

    def tail(self, job_id: str) -> AsyncIterator[str]:
        """What it has written from its beginning, and then as it writes, until Ray says that this was all."""
        ...


def must_find(jobs: Jobs, job_id: str) -> Job:
    """The job as it is now. Raises NoSuchJob."""
    job = jobs.find(job_id)
    if job is None:
        raise no_such_job(job_id)
    return job


def no_such_job(job_id: str) -> NoSuchJob:
    """The cluster does not know ``job_id``."""
    return NoSuchJob(
        f"the cluster knows no job {job_id}", next_step="see which there are: python -m cai_deploy jobs list"
    )
