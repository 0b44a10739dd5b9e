"""When a worker that is a batch job goes by itself: its time ends, or its cluster has ended on purpose.

It looks once a second at what the head says of itself. A head that is merely away is waited for elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from cai_deploy.node.batch.batch_job import BatchJob
from cai_deploy.node.batch.departure import leave
from cai_deploy.node.head_search import LastWord
from cai_deploy.node.orders import Orders
from cai_deploy.node.pod import Pod
from cai_deploy.node.term import Term
from cai_deploy.node.worker import Worker
from cai_deploy.node_settings import NodeSettings

POLL = 0.5

EARLIEST_WARNING = 65_535.0 + 120.0
"""Seconds before the limit: Slurm's own bound, and how late it may be."""

SPARE = 5.0
"""Seconds before the limit by which everything has ended."""


class WorkerTerm(Term):
    """The term of one worker's job: it sets ``over``, which ends the worker in good order."""

    def __init__(
        self,
        settings: NodeSettings,
        pod: Pod,
        job: BatchJob,
        worker: Worker,
        orders: Orders,
        tell: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._settings = settings
        self._pod = pod
        self._job = job
        self._worker = worker
        self._orders = orders
        self._tell = tell
        self._word = LastWord(pod.connection_file(settings.cluster))

    def _watch(self) -> None:
        while not self._orders.stop.wait(POLL):
            if why := cluster_ended(self._worker, self._word):
                self._tell(f"the cluster has ended: {why}")
                break
            if self._orders.warned.is_set():
                seconds = time_to_drain(self._job, self._settings.stop_timeout)
                self._tell(f"this job's time ends: {seconds:.0f} s are left for the work that runs here")
                if self._worker.door:
                    leave(self._pod, self._word, seconds, "its job's time ends", self._tell, self._orders.stop)
                break


def cluster_ended(worker: Worker, word: LastWord) -> str:
    """Why the head has ended the cluster, "" while it has not: what it said before we joined does not count."""
    info = word() if worker.door else None
    return (info.ended_why or "its head has ended it") if info and info.ended_at else ""


def time_to_drain(job: BatchJob, stop_timeout: float) -> float:
    """Seconds that a node may take to drain, so that it can still end in good order before its job's limit."""
    ends = job.ends_at()
    left = (ends - datetime.now(ends.tzinfo)).total_seconds() if ends else math.inf
    # Warned by hand, with a limit far away or none at all.
    if left > EARLIEST_WARNING:
        return job.checkpoint
    return max(left - stop_timeout - SPARE, 0.0)
