"""Our mark on a job: how we know, later and from anywhere, that it is ours and what it was made from. Pure.

Of the fields that a person may give a job, the comment alone comes back as it was sent, from every version and without
accounting: ``sbatch`` has no option for the administrator's comment, a wckey is refused by sites that keep a list of
them, a name is short and shown to everybody, and a job's variables are not returned. A comment can be copied and
edited, so it counts only on a job of the name that belongs to it. Who may see jobs may read it: it holds no secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Protocol, TypeVar

KEY = "cai-deploy"
VERSION = 1


@dataclass(frozen=True)
class Mark:
    """Which node of which cluster a job is, and whose (see :func:`owner_of`).

    ``epoch`` rises with each claim on the cluster; ``ticket`` is new with each submission, so that an answer that got
    lost can be looked for.
    """

    cluster: str
    owner: str
    node: str
    group: str
    fingerprint: str
    epoch: int = 0
    ticket: str = ""

    @property
    def job_name(self) -> str:
        """``ray-worker-0``: what people see in the queue."""
        return f"{self.cluster}-{self.node}"

    def comment(self) -> str:
        """The mark as a job's comment: one line of plain characters."""
        return json.dumps({KEY: {"version": VERSION, **asdict(self)}}, separators=(",", ":"), sort_keys=True)

    def with_ticket(self, ticket: str) -> Mark:
        """The same mark for one submission."""
        return replace(self, ticket=ticket)


def read(comment: str, job_name: str) -> Mark | None:
    """The mark in a job's comment; None when it has none, or one that belongs to a job of another name."""
    try:
        data = json.loads(comment)[KEY]
        texts = {name: data[name] for name in ("cluster", "owner", "node", "group", "fingerprint")}
        epoch, ticket = data.get("epoch", 0), data.get("ticket", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not all(isinstance(text, str) for text in (*texts.values(), ticket)) or type(epoch) is not int:
        return None
    mark = Mark(**texts, epoch=epoch, ticket=ticket)
    return mark if mark.job_name == job_name else None


def owner_of(directory: str) -> str:
    """Who owns a cluster's jobs: the directory on the shared file system that holds its files, as a digest."""
    return hashlib.sha256(directory.rstrip("/").encode()).hexdigest()[:16]


class Named(Protocol):
    """What carries a mark."""

    @property
    def name(self) -> str: ...

    @property
    def comment(self) -> str: ...


Carrier = TypeVar("Carrier", bound=Named)


def ours(jobs: Iterable[Carrier], cluster: str, owner: str) -> list[tuple[Mark, Carrier]]:
    """Those of ``jobs`` that are nodes of ``cluster``, with their marks."""
    marked = ((read(job.comment, job.name), job) for job in jobs)
    return [(mark, job) for mark, job in marked if mark and (mark.cluster, mark.owner) == (cluster, owner)]
