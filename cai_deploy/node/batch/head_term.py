"""When a head that is a batch job ends by itself: its time ends, or nobody has used its cluster for long.

Before its time ends it has its successor queued, where it hands over, and warns its clients in the connection file;
they get the time for a checkpoint. A head that nothing follows leaves word in that file that the cluster has ended, so
that its workers' jobs end too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from cai_deploy.node.announcement import moment
from cai_deploy.node.batch import idleness
from cai_deploy.node.batch.batch_job import BatchJob
from cai_deploy.node.batch.client import CLIENTS
from cai_deploy.node.batch.head_job import HeadJob
from cai_deploy.node.batch.slurm_commands import NoSuccessor, submit_successor
from cai_deploy.node.batch.worker_term import time_to_drain
from cai_deploy.node.head import Head
from cai_deploy.node.orders import Orders
from cai_deploy.node.pod import Pod
from cai_deploy.node.term import Term
from cai_deploy.node_settings import NodeSettings

POLL = 0.5
LOOK_EVERY = 5.0

ASK_AFTER = (0.0, 2.0, 10.0, 60.0)
"""Seconds after the head is up at which Slurm is asked when the job ends, until it says.

It may not know at once, or not answer in time; of a job without a limit it never says.
"""

GROUP = "cai-deploy/group"


def _clock() -> datetime:
    """The machine's own time; tests have it at another part of the day."""
    return datetime.now() + timedelta(seconds=float(os.environ.get("CAI_DEPLOY_CLOCK_OFFSET") or 0))


class HeadTerm(Term):
    """The term of one head's job: it sets ``over``, which ends the head in good order."""

    def __init__(
        self,
        settings: NodeSettings,
        pod: Pod,
        job: BatchJob,
        head: Head,
        orders: Orders,
        tell: Callable[[str], None],
        *,
        file: HeadJob,
        clock: Callable[[], datetime] = _clock,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._pod = pod
        self._job = job
        self._head = head
        self._orders = orders
        self._tell = tell
        self._file = file
        self._clock = clock
        self._idleness = idleness.parse(job.idle)
        self._up: float | None = None
        self._asks = list(ASK_AFTER)

    def end(self) -> int | None:
        """When the node ends: nobody is to find this head by its job any more."""
        self._file.remove()
        return None

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._orders.stop.wait(POLL):
            if self._head.is_up:
                self._announce()
            if self._orders.warned.is_set():
                return self._end_of_time()
            if self._head.is_up and time.monotonic() - looked >= LOOK_EVERY:
                looked = time.monotonic()
                if why := self._idle():
                    return self._end_cluster(why)
        return None

    def _announce(self) -> None:
        """Say once that the head is up, and once known when the time limit ends its job."""
        if self._up is None:
            self._up = time.monotonic()
            self._say()
        if self._asks and time.monotonic() - self._up >= self._asks[0]:
            del self._asks[0]
            if ends := self._job.ends_at():
                self._asks.clear()
                self._say(expires_at=moment(ends))

    def _end_of_time(self) -> None:
        self._tell("this head's time ends")
        successor = self._successor() if self._job.hands_over else ""
        self._say(warned_at=moment(datetime.now(timezone.utc)), successor=successor)
        self._await_clients()
        if successor or self._orders.stop.is_set():
            self._tell(f"job {successor} goes on from here" if successor else "told to stop")
        else:
            self._end_cluster("its head's time limit was near")

    def _successor(self) -> str:
        try:
            successor = submit_successor(self._job.id, self._pod.job_script_file(self._settings.cluster), os.environ)
        except NoSuccessor as error:
            self._tell(f"error: {error}")
            return ""
        self._tell(f"job {successor} is queued as this head's successor")
        return successor

    def _await_clients(self) -> None:
        """Until no client is left, or for as long as one may take for a checkpoint and to leave."""
        seconds = min(
            self._job.checkpoint + self._settings.stop_timeout, time_to_drain(self._job, self._settings.stop_timeout)
        )
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._clients() and not self._orders.stop.wait(POLL):
            pass

    def _idle(self) -> str:
        """Why the cluster is to end for want of work, "" for not."""
        if not self._idleness:
            return ""
        return self._idleness.why_end(self._head.activity.describe(), self._clients(), self._clock().time())

    def _clients(self) -> list[str]:
        """The clients that have joined; one nobody knows by name when that cannot be seen."""
        try:
            nodes = self._head.gcs.nodes()
        except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            return [f"unknown: {error}"]
        return [node.name for node in nodes if node.state == "ALIVE" and node.labels.get(GROUP) == CLIENTS]

    def _end_cluster(self, why: str) -> None:
        self._tell(f"the cluster ends: {why}")
        self._say(ended_at=moment(datetime.now(timezone.utc)), ended_why=why)

    def _say(self, **words: str) -> None:
        self._file.write(self._head.say(**words))
