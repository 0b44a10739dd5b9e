"""A worker's life: find the head, join it through a forwarder that never moves, and join anew when Ray ends.

Ray's end on a worker has many causes that a new start cures: a head that stayed away longer than Ray waits, one that
lost its state and does not know us, a network that was cut for so long that we were declared dead. What it does not
cure within some starts is the platform's matter. A worker that ended because it was drained stays to be stopped, as an
application would be started anew; a batch job just ends.

A worker in whose Ray somebody's script lives by then does not join again, as the script does not outlive that Ray.
"""

from __future__ import annotations

import math
import threading
import time

from cai_deploy.node.backoff import Backoff
from cai_deploy.node.batch.batch_job import BatchJob
from cai_deploy.node.draining import was_drained
from cai_deploy.node.forwarder import Forwarder
from cai_deploy.node.gcs import Gcs
from cai_deploy.node.head_search import HeadAddress, LastWord, NoHead, find_head
from cai_deploy.node.journal import Journal
from cai_deploy.node.pod import Pod
from cai_deploy.node.preflight import Preflight
from cai_deploy.node.ray_run import RayRun
from cai_deploy.node.tls import Certificate
from cai_deploy.node.token import token_file, wait_for_token
from cai_deploy.node.watch import RayEnded, follow, rest
from cai_deploy.node.web.status import serve_status
from cai_deploy.node_settings import NodeSettings

GCS_PORT = 6379
LOOPBACK = "127."

WAITS_FOR_SUCCESSOR = {"RAY_gcs_rpc_server_reconnect_timeout_s": str(7 * 24 * 3600)}
"""For Ray and what runs in it: nobody knows when Slurm starts the head's next job."""


class Worker:
    """One worker in one pod."""

    def __init__(
        self,
        settings: NodeSettings,
        pod: Pod,
        journal: Journal,
        certificate: Certificate | None = None,
        job: BatchJob | None = None,
    ) -> None:
        self._settings = settings
        self._pod = pod
        self._journal = journal
        self._file = pod.connection_file(settings.cluster)
        self._token = token_file(settings, pod)
        self._head = HeadAddress(pod.head_address, self._file)
        self._certificate = certificate
        self._preflight = Preflight(settings, pod, journal.tell, certificate)
        self._job = job
        self._carries = threading.Event()
        self._word = LastWord(self._file)
        self._state = "starting"
        self._run: RayRun | None = None
        self.door = ""
        """Where the Ray of this node, and what runs in it, finds the GCS; "" until it has been started."""

    @property
    def began(self) -> float:
        """When its Ray was started last, in seconds since 1970."""
        return time.time() - (self._run.lived if self._run else 0.0)

    @property
    def ray_variables(self) -> dict[str, str]:
        """What Ray is told here beside what every node is told."""
        word = self._word()
        return WAITS_FOR_SUCCESSOR if self._job and word and word.hands_over else {}

    def run(self, stop: threading.Event) -> None:
        """Until told to stop. Raises DeployError when there is no head in time, or when Ray ends again and again."""
        serve_status(self._pod.app_port, lambda: {"node": self._pod.node, "state": self._state})
        backoff, door = Backoff(), ""
        while address := self._find_head(stop):
            if self._token:
                wait_for_token(self._token, stop)
            if self._certificate and not self._certificate.join(stop):
                return None
            if not self._preflight.passed(address, stop):
                continue
            door = door or self._door(address)
            self._journal.tell(f"joining the head at {address}" + (f" through {door}" if door != address else ""))
            self._run = RayRun(
                self._settings, self._pod, self._journal.tell, self._settings.ports, door, self.ray_variables
            )
            self._state, self.door = "running", door
            try:
                return follow(self._run.process, stop)
            except RayEnded as ended:
                if self._drained():
                    return self._go(ended) if self._job else self._rest(ended, stop)
                pause = backoff.pause(self._run.lived)
                if pause is None or self._carries.is_set():
                    raise
                self._state = "rejoining"
                # Ray's own last lines stand in the journal already.
                self._journal.tell(f"{ended.what}; it is started again in {pause:.0f} s")
            self.end(0)
            if stop.wait(pause):
                return None
        return None

    def carry(self) -> None:
        """From now on somebody's script lives in its Ray, which is not to be started again."""
        self._carries.set()

    def end(self, patience: float) -> None:
        """End what runs, after ``patience`` seconds at most."""
        if self._run:
            self._run.end(patience)
            self._run = None

    def _find_head(self, stop: threading.Event) -> str:
        word = self._word() if self._job else None
        patience = math.inf if word and word.successor else self._settings.join_timeout
        try:
            return find_head(self._pod.head_address, self._file, patience, self._journal.tell, stop.is_set)
        except NoHead:
            word = self._word()
            if not (self._job and word and word.ended_at):
                raise
            self._journal.tell(f"there is no cluster any more: {word.ended_why}")
            return ""

    def _door(self, address: str) -> str:
        """The address that Ray is given. A head that somebody named by hand is where it is said to be."""
        if self._pod.head_address:
            return address
        # Ray takes 127.0.0.1 for the pod's own address as soon as there is a route to anywhere, so that one it is. A
        # pod that shares the loopback network with others must not hold a port that a head there may be told to use.
        shared = self._pod.address.startswith(LOOPBACK)
        hosts = [self._pod.address] if shared else [self._pod.address, "127.0.0.1"]
        # A job has a port of its own for that.
        port = 0 if shared and not self._job else self._settings.ports.get("gcs", GCS_PORT)
        forwarder = Forwarder(self._head, self._journal.tell, self._certificate)
        return f"{self._pod.address}:{forwarder.serve(hosts, port)}"

    def _go(self, ended: RayEnded) -> None:
        self._journal.tell(f"drained ({ended.what}): this job ends")

    def _rest(self, ended: RayEnded, stop: threading.Event) -> None:
        # To end with an error would make the platform start the node again that somebody wants to be gone.
        self._state = "drained"
        self._journal.tell(f"drained, as was asked for ({ended.what}); waiting to be stopped")
        self.end(self._settings.stop_timeout)
        rest(stop)

    def _drained(self) -> bool:
        """Whether we were asked to drain; when nobody can tell, the node had better come back."""
        try:
            return was_drained(Gcs(self._head()), self._pod.node, since=self.began)
        except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            self._journal.tell(f"whether this node was drained is not known: {error}")
            return False
