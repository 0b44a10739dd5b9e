"""Submitting, replacing and ending the jobs of nodes.

A job that runs is told to end by a signal to its own process, which takes its node out of the cluster and ends Ray in
good order; a plain ``scancel`` would strike Ray and its agent at once, and kill what is left after Slurm's KillWait. So
that is for jobs that do not run yet, and for one that has been told and is still there when its time is over.

A job is replaced by an heir, which Slurm lets begin when the old one has ended: there are never two, a refusal leaves
the old one as it is, and what was begun goes on without us.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cai_deploy import layout
from cai_deploy.clock import Clock, SystemClock
from cai_deploy.places.directory import DirectoryFiles, DirectoryTrouble
from cai_deploy.places.slurm.batch import Submission
from cai_deploy.places.slurm.members import Members
from cai_deploy.places.slurm.node_jobs import submission
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.spec import HEAD
from cai_deploy.state import Node, NodeState, Request, Step

TOLD = "it was told to end, and is ending"
OWNERS_ALONE = 0o600

LONGEST_IN_LINE = 150.0
"""Seconds: a queue has given up by then, and so has a head that was to be submitted."""


class JobChanges:
    """The changes of one run; it remembers which jobs it has told to end."""

    def __init__(self, queue: Queue, root: Path, clock: Clock | None = None) -> None:
        self._queue = queue
        self._root = root
        self._clock = clock or SystemClock()
        self._told: dict[int, float] = {}
        self._head_is_in_line = threading.Event()
        self._head_is_in_line.set()

    @contextlib.contextmanager
    def head_first(self, steps: Sequence[Step]) -> Iterator[None]:
        """Around ``steps``: workers stand in line behind their head, without which they are of no use."""
        heads = [step for step in steps if step.name == HEAD and step.action == "create"]
        if heads:
            self._head_is_in_line.clear()
        try:
            yield
        finally:
            self._head_is_in_line.set()

    def apply(self, step: Step, members: Members) -> None:
        """Carry out a step on a node of a cluster that has these ``members``. Raises what the queue does."""
        if step.action == "create":
            self._create(step)
            return
        job_id = int(step.native_id)
        self._queue.cancel(members.heirs_of(job_id))
        if step.action == "restart":
            self._submit_heir(step, members, job_id)
        self._end(job_id, members)

    def shown(self, nodes: Iterable[Node], patience: float) -> tuple[Node, ...]:
        """``nodes`` as they are after what was told; who has not ended after ``patience`` seconds did not hear it."""
        return tuple(
            replace(node, state=NodeState.STOPPING, ray_state="", reason=TOLD) if self._ends(node, patience) else node
            for node in nodes
        )

    def _ends(self, node: Node, patience: float) -> bool:
        told = self._told.get(int(node.native_id))
        return node.state is NodeState.RUNNING and told is not None and self._clock.now() - told < patience

    def _create(self, step: Step) -> None:
        if step.name != HEAD:
            self._head_is_in_line.wait(LONGEST_IN_LINE)
        try:
            self._submit(step.request or {})
        finally:
            if step.name == HEAD:
                self._head_is_in_line.set()

    def _submit(self, request: Request, after: int | None = None) -> None:
        self._write_script(request["script"], request["text"])
        self._queue.submit(submission(request, self._root, after))

    def _submit_heir(self, step: Step, members: Members, job_id: int) -> None:
        """One like that which the step wants; or, as it wants nothing else, like the one that is there."""
        if step.request:
            self._submit(step.request, after=job_id)
            return
        marks = [member.mark for member in members.living if member.job.job_id == job_id]
        for mark in marks:
            script = self._root / layout.job_script_file(mark.cluster, mark.node)
            self._queue.submit(Submission(script, mark, after=job_id))

    def _end(self, job_id: int, members: Members) -> None:
        job = next((member.job for member in members.living if member.job.job_id == job_id), None)
        runs = job is not None and job.standing.state is NodeState.RUNNING
        if runs and job_id not in self._told:
            self._queue.warn(job_id, "TERM")
        else:
            self._queue.cancel([job_id])
        self._told[job_id] = self._clock.now()

    def _write_script(self, path: str, text: str) -> None:
        """A script holds what its variables hold, and is its owner's alone."""
        file = self._root / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(OWNERS_ALONE)
        except OSError as error:
            raise DirectoryTrouble(f"write {file}", self._root, error) from error
        DirectoryFiles(self._root).upload(path, text.encode())
