"""The head's life: reign alone, run Ray on a store that outlives it, serve the HTTP port, start Ray again when it ends.

A start of Ray in the same pod keeps address, ports and epoch, so nobody has to be told: the workers' Ray reconnects. A
new pod is a new head with the next epoch, at another address.
"""

from __future__ import annotations

import platform
import threading

from cai_deploy.connection import ConnectionInfo
from cai_deploy.node import ports
from cai_deploy.node.announcement import announcement
from cai_deploy.node.backoff import Backoff
from cai_deploy.node.batch.batch_job import BatchJob
from cai_deploy.node.draining import Drains
from cai_deploy.node.exclusive import Exclusive
from cai_deploy.node.gcs import Gcs
from cai_deploy.node.head_search import listens
from cai_deploy.node.journal import Journal
from cai_deploy.node.pod import Pod
from cai_deploy.node.ray_run import RayRun
from cai_deploy.node.reign import Overtaken, Reign
from cai_deploy.node.store import GcsStore, last_words
from cai_deploy.node.tls import Certificate
from cai_deploy.node.token import create_token, read_token, token_file
from cai_deploy.node.view.activity import Activity
from cai_deploy.node.watch import RayEnded, follow
from cai_deploy.node_settings import NodeSettings

POLL = 0.1
GCS_TIMEOUT = 120.0


class Head:
    """One head in one pod."""

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
        self._ports = ports.choose(settings.ports, settings.pinned_ports)
        self._info = announcement(settings, pod, self._ports, journal.tell, job)
        python = ".".join(platform.python_version_tuple()[:2])
        writer = f"Ray {settings.ray_version} on Python {python}"
        token = token_file(settings, pod)
        if token:
            create_token(token)
        if certificate:
            certificate.found(settings.cluster)
        self._token = read_token(token) if token else ""
        self._store = GcsStore(pod.gcs_store(settings.cluster), writer, journal.tell)
        lock = Exclusive(pod.head_lock(settings.cluster)) if self._store.shared else None
        self._reign = Reign(self._info, pod.connection_file(settings.cluster), lock, journal.tell)
        self.gcs = Gcs(self._info.gcs_address)
        self.activity = Activity(self.gcs)
        self.is_up = False
        self._drains = Drains(self.gcs, journal.tell)
        self._serves = False
        self._run: RayRun | None = None

    def run(self, stop: threading.Event) -> None:
        """Until told to stop. Raises DeployError when it is overtaken, or when Ray ends again and again."""
        backoff = Backoff()
        going = self._reign.begin(stop)
        while going:
            self._run = RayRun(self._settings, self._pod, self._journal.tell, self._ports, extra=self._store.open())
            try:
                self._serve()
                if self._gcs_answers(self._run, stop):
                    self._store.answered()
                    self._journal.tell(f"the head is up: epoch {self._info.epoch}, GCS at {self._info.gcs_address}")
                    self._take_over()
                    self.is_up = True
                return follow(self._run.process, stop, self._reign.check)
            except Overtaken:
                # The next head waits for the store; what Ray could still tidy up is not ours any more.
                self.end(0)
                raise
            except RayEnded as ended:
                pause = backoff.pause(self._run.lived)
                if pause is None:
                    raise
                # Ray's own last lines stand in the journal already.
                self._journal.tell(f"{ended.what}; it is started again in {pause:.0f} s")
            self._run.end(0)
            going = not stop.wait(pause)
        return None

    def say(self, **words: str) -> ConnectionInfo:
        """Have the connection file say this too; all that it says now."""
        return self._reign.say(**words)

    def end(self, patience: float) -> None:
        """End what runs, after ``patience`` seconds at most, and let the next head reign."""
        if self._run:
            self._run.end(patience)
            self._run = None
        self._store.close()
        self._reign.end()

    def _take_over(self) -> None:
        """Go on with what a head before this one had begun; the GCS can do without, only later."""
        try:
            self._bury()
            self._drains.resume()
        except Exception as error:  # noqa: BLE001 (Ray raises its own kinds while the GCS is away)
            self._journal.tell(f"what the heads before began is left to the GCS: {error}")

    def _bury(self) -> None:
        """Tell the GCS that the heads before are dead, as their reign is over: what ran there starts elsewhere at once.

        By itself it would ask an address that nobody has any more, for as long as a worker may be silent.
        """
        for node in self.gcs.nodes():
            # Our own Ray before this one had our address, where a refusal will tell of its end.
            if node.state == "ALIVE" and node.is_head_before(self._pod.address):
                self.gcs.end(node.id)
                self._journal.tell(f"the head before, at {node.address}, is dead")

    def _serve(self) -> None:
        """Serve the HTTP port from the first start of Ray on: it is started first, as a cluster waits for it."""
        if self._serves:
            return
        # Imported only now, as aiohttp takes a quarter second that Ray need not wait for.
        from cai_deploy.node.web.front import front

        front(self._pod, self._info, self._ports, self._drains, self.activity, self._token).serve(self._pod.app_port)
        self._serves = True

    def _gcs_answers(self, run: RayRun, stop: threading.Event) -> bool:
        """Wait until the GCS listens; False when told to stop. Raises RayEnded when it does not, or Ray ends."""
        address = self._info.gcs_address
        for _ in range(int(GCS_TIMEOUT / POLL)):
            if listens(address):
                return True
            # ``ray start`` itself waits 40 s for a GCS that could not open its store.
            if run.process.ended() is not None or last_words(run.temp_dir):
                self._store.died(run.temp_dir)
                raise RayEnded(f"Ray ended before its GCS listened at {address}", why="\n".join(run.process.last_lines))
            if stop.wait(POLL):
                return False
        raise RayEnded(f"Ray's GCS does not listen at {address} after {GCS_TIMEOUT:.0f} seconds")
