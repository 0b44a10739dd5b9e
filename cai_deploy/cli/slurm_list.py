"""``slurm list``: the heads that a person has on a Slurm, found by their jobs' marks."""

from __future__ import annotations

from dataclasses import dataclass

import click

from cai_deploy.cli.options import json_option
from cai_deploy.cli.output import say, show_json, show_table
from cai_deploy.places.slurm import marks
from cai_deploy.places.slurm.client_jobs import GROUP
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.spec import HEAD


@click.command("list")
@json_option
def list_heads(as_json: bool) -> None:
    """List your heads on Slurm, with where they are, when they end and which clients they have.

    \b
    Examples:
      python -m cai_deploy slurm list
      python -m cai_deploy slurm list --json
    """
    rows = listed(Queue())
    if as_json:
        show_json({"heads": [row.document() for row in rows]})
    elif rows:
        show_table(("JOB", "CLUSTER", "STATE", "MACHINE", "CLIENTS", "WHY"), [row.cells() for row in rows])
    else:
        say("no head of yours is on this Slurm")


@dataclass(frozen=True)
class Row:
    """One head among the jobs."""

    job_id: int
    cluster: str
    state: str
    machine: str
    clients: tuple[int, ...]
    sentence: str

    def document(self) -> dict[str, object]:
        """As data."""
        return {
            "job_id": self.job_id,
            "cluster": self.cluster,
            "state": self.state,
            "machine": self.machine,
            "clients": list(self.clients),
            "why": self.sentence,
        }

    def cells(self) -> tuple[str, ...]:
        """As a line of a table."""
        clients = ", ".join(map(str, self.clients)) or "-"
        return (str(self.job_id), self.cluster, self.state, self.machine or "-", clients, self.sentence)


def listed(queue: Queue) -> list[Row]:
    """The heads among our jobs that have not ended."""
    marked = [(marks.read(job.comment, job.name), job) for job in queue.jobs() if not job.over]
    ours = [(mark, job) for mark, job in marked if mark]
    clients = [(mark, job.job_id) for mark, job in ours if mark.group == GROUP]
    return [
        Row(
            job.job_id,
            mark.cluster,
            job.standing.state.value,
            job.nodes,
            tuple(number for of, number in clients if (of.cluster, of.owner) == (mark.cluster, mark.owner)),
            job.standing.sentence,
        )
        for mark, job in ours
        if mark.node == HEAD
    ]
