"""A client's job: a worker that comes with a person's script, runs it against the cluster, and goes when it has ended.

The script is a driver on its own node, at the node's own door to the GCS. What it returns is what the job returns. It
is warned when its own job's time ends, and when its head's does: it then has the time for a checkpoint to end by
itself. A head that hands over to a successor warns too, but nothing has to end for that.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cai_deploy.errors import ConfigError
from cai_deploy.node import ray
from cai_deploy.node.batch import own_raylet
from cai_deploy.node.batch.batch_job import BatchJob
from cai_deploy.node.batch.departure import leave
from cai_deploy.node.batch.script import NotRunnable, Script
from cai_deploy.node.batch.worker_term import cluster_ended, time_to_drain
from cai_deploy.node.draining import newest
from cai_deploy.node.gcs import Gcs
from cai_deploy.node.head_search import LastWord
from cai_deploy.node.orders import Orders
from cai_deploy.node.pod import Pod
from cai_deploy.node.term import Term
from cai_deploy.node.worker import Worker
from cai_deploy.node_settings import NodeSettings

CLIENTS = "client"
"""The group of the nodes that clients bring along."""

POLL = 0.2
LOOK_EVERY = 1.0

NO_HEAD = 75
"""With which a job ends that had, or has any more, no head to work with (EX_TEMPFAIL): it may be submitted again."""

NOT_RUNNABLE = 127

SCRIPTS_SHARE = 3
"""Of the time that a node has to stop, the part in which a script may end after SIGTERM; Ray needs the rest."""

HANDED_OVER = "the head hands over to its successor"

ENDS = 10.0
"""Seconds for a script to end by itself when the Ray below it has ended."""


@dataclass(frozen=True)
class Errand:
    """What to run, and where."""

    argv: tuple[str, ...]
    directory: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], project: Path) -> Errand | None:
        """What CAI_DEPLOY_RUN asks for; None where nobody asks for anything. Raises ConfigError."""
        text = environ.get("CAI_DEPLOY_RUN", "")
        if not text:
            return None
        try:
            argv = json.loads(text)
        except ValueError:
            argv = None
        if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
            raise ConfigError("CAI_DEPLOY_RUN is no list of words in JSON", next_step='write it as ["python", "x.py"]')
        return cls(tuple(argv), Path(environ.get("CAI_DEPLOY_RUN_DIRECTORY") or project))


class Client(Term):
    """The term of a client's job: it sets ``over`` when the script has ended, which ends the worker in good order."""

    def __init__(
        self,
        settings: NodeSettings,
        pod: Pod,
        job: BatchJob,
        worker: Worker,
        orders: Orders,
        tell: Callable[[str], None],
        errand: Errand,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._pod = pod
        self._job = job
        self._worker = worker
        self._orders = orders
        self._tell = tell
        self._errand = errand
        self._word = LastWord(pod.connection_file(settings.cluster))
        self._ray_ended = threading.Event()
        self._status: int | None = None

    def end(self) -> int | None:
        """When the worker has ended; the script's exit status, None when it has not run."""
        self._ray_ended.set()
        self._thread.join()
        return self._status

    def _watch(self) -> None:
        self._status = self._run()
        if self._status is not None and not self._orders.stop.is_set() and not self._ray_ended.is_set():
            seconds = min(self._settings.stop_timeout, self._time_left())
            leave(self._pod, self._word, seconds, "its script has ended", self._tell, self._ray_ended)

    def _run(self) -> int | None:
        """The script's exit status; None when it was not to be run."""
        raylet = self._joined()
        if not raylet:
            return None
        self._worker.carry()
        try:
            script = Script(self._errand.argv, self._variables(raylet), self._errand.directory)
        except NotRunnable as error:
            self._tell(f"error: {error}")
            return NOT_RUNNABLE
        self._tell(f"{self._errand.argv[0]} runs at {self._worker.door}")
        status = self._follow(script)
        self._tell(f"{self._errand.argv[0]} ended with status {status}")
        return status

    def _joined(self) -> str:
        """The number by which Ray knows this node, once it is there; "" when it does not come to that."""
        gcs: Gcs | None = None
        while not (self._orders.stop.wait(POLL) or self._ray_ended.is_set()):
            if self._orders.warned.is_set():
                self._tell("this job's time ends before its node has joined")
                return ""
            if why := cluster_ended(self._worker, self._word):
                self._tell(f"the cluster has ended before this node has joined: {why}")
                return ""
            info = self._word() if self._worker.door else None
            if info is None:
                continue
            gcs = gcs or Gcs(info.gcs_address)
            try:
                node = newest(gcs.nodes(), self._pod.node)
            except Exception:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away; the worker waits for it)
                gcs = None
                continue
            if node and node.state == "ALIVE" and node.started >= self._worker.began * 1000:
                return node.id.hex()
        return ""

    def _follow(self, script: Script) -> int:
        """Its exit status, whatever it takes."""
        heard: set[str] = set()
        until = None
        looked = 0.0
        while (status := script.status()) is None:
            if self._orders.stop.wait(POLL):
                return script.end(self._settings.stop_timeout / SCRIPTS_SHARE)
            if self._ray_ended.is_set():
                self._tell("Ray has ended below the script")
                return self._outlived(script)
            if time.monotonic() - looked < LOOK_EVERY:
                continue
            looked = time.monotonic()
            if why := cluster_ended(self._worker, self._word):
                self._tell(f"the cluster has ended: {why}")
                return script.end(self._settings.stop_timeout / SCRIPTS_SHARE)
            for warning in self._warnings():
                if warning not in heard:
                    heard.add(warning)
                    self._warn(script, warning)
                    until = until or (looked + self._job.checkpoint if warning != HANDED_OVER else None)
            if until and looked > until:
                self._tell(f"no end after the {self._job.checkpoint:.0f} s of its warning: the script is ended")
                return script.end(self._settings.stop_timeout / SCRIPTS_SHARE)
        return status

    def _warnings(self) -> Iterator[str]:
        if self._orders.warned.is_set():
            yield "this job's time ends"
        info = self._word()
        if info and info.warned_at:
            yield HANDED_OVER if info.successor else "the head's time ends, and the cluster with it"

    def _warn(self, script: Script, warning: str) -> None:
        heeded = script.warn()
        hears = "hears of it by SIGUSR1" if heeded else "has no handler for SIGUSR1, so it hears nothing"
        self._tell(f"{warning}: the script {hears}")

    def _outlived(self, script: Script) -> int:
        """Wait for a script whose Ray has ended: it has lost its node, and most end of that by themselves."""
        end = time.monotonic() + ENDS
        while (status := script.status()) is None:
            if time.monotonic() > end or self._orders.stop.wait(POLL):
                script.end(self._settings.stop_timeout / SCRIPTS_SHARE)
                return NO_HEAD
        return status

    def _variables(self, raylet: str) -> dict[str, str]:
        """What the script inherits: all that our Ray does, and where to find it."""
        variables = ray.environment(self._settings, os.environ, Path(sys.executable).parent)
        variables |= self._worker.ray_variables
        return variables | {"RAY_ADDRESS": self._worker.door, **own_raylet.variables(raylet, variables)}

    def _time_left(self) -> float:
        """Seconds for others' work on this node, where the time is short."""
        warned = self._orders.warned.is_set()
        return time_to_drain(self._job, self._settings.stop_timeout) if warned else self._settings.stop_timeout
