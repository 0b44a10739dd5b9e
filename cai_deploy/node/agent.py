"""The agent: one node's life from its start to its last process, whichever role it has.

It ends when it is told to (cleanly), when the batch job that it is has come to its end (cleanly too, or as a client's
script ended), when a person brought it and its cluster lets it go (cleanly), or when its role gives up (with a failure,
so that the platform starts the node anew). Whatever happened before, nothing of the node outlives it.
"""

from __future__ import annotations

import os

from cai_deploy.errors import DeployError
from cai_deploy.node.batch.batch_job import BatchJob
from cai_deploy.node.batch.client import NO_HEAD, Client, Errand
from cai_deploy.node.batch.head_job import HeadJob
from cai_deploy.node.batch.head_term import HeadTerm
from cai_deploy.node.batch.worker_term import WorkerTerm
from cai_deploy.node.head import Head
from cai_deploy.node.joined import JOINED, Joined
from cai_deploy.node.journal import Journal
from cai_deploy.node.orders import Orders
from cai_deploy.node.pod import Pod
from cai_deploy.node.process import kill_descendants
from cai_deploy.node.term import Term
from cai_deploy.node.tls import Certificate, node_certificate, use_tls
from cai_deploy.node.token import token_file, use_token
from cai_deploy.node.worker import Worker
from cai_deploy.node_settings import NodeSettings


class Agent:
    """Runs one node in one pod; as ``job`` if that is given, and for an ``errand`` if there is one."""

    def __init__(
        self,
        settings: NodeSettings,
        pod: Pod,
        journal: Journal,
        job: BatchJob | None = None,
        errand: Errand | None = None,
    ) -> None:
        self._settings = settings
        self._pod = pod
        self._journal = journal
        self._job = job
        self._errand = errand
        self._orders = Orders()

    def run(self) -> int:
        """Run until told to stop. Raises DeployError when the node cannot start, or has to give up."""
        self._orders.heed_signals()
        what = f"{self._settings.role} {self._pod.node} of {self._settings.cluster} at {self._pod.address}"
        self._journal.tell(f"{what}, Ray {self._settings.ray_version}, {self._settings.environment}")
        use_token(token_file(self._settings, self._pod), os.environ)
        certificate = node_certificate(self._settings, self._pod)
        use_tls(certificate, os.environ)
        try:
            status = self._live(certificate)
        finally:
            if certificate:
                certificate.remove()
        self._journal.tell("stopped")
        return status

    def _live(self, certificate: Certificate | None) -> int:
        if self._settings.role == "head":
            head = Head(self._settings, self._pod, self._journal, certificate, self._job)
            return self._run(head, self._head_term(head))
        worker = Worker(self._settings, self._pod, self._journal, certificate, self._job)
        return self._run(worker, self._worker_term(worker))

    def _run(self, role: Head | Worker, term: Term | None) -> int:
        status = None
        try:
            if term:
                term.begin()
            role.run(term.over if term else self._orders.stop)
        except DeployError as error:
            # What a client's script returned is what its job returns, whatever became of its node.
            if term is None or term.end() is None:
                raise
            self._journal.tell(f"error: {error}")
        finally:
            status = term.end() if term else None
            self._journal.tell("stopping")
            role.end(self._settings.stop_timeout)
            kill_descendants()
        if status is None:
            status = NO_HEAD if self._errand and not self._orders.stop.is_set() else 0
        return status

    def _head_term(self, head: Head) -> Term | None:
        if self._job is None:
            return None
        path = self._pod.head_job_file(self._settings.cluster, self._job.id)
        file = HeadJob(path, self._job, self._job.first_port or 0, self._journal.tell)
        return HeadTerm(self._settings, self._pod, self._job, head, self._orders, self._journal.tell, file=file)

    def _worker_term(self, worker: Worker) -> Term | None:
        if self._settings.group == JOINED:
            return Joined(self._pod, worker, self._orders, self._journal.tell)
        if self._job is None:
            return None
        about = (self._settings, self._pod, self._job, worker, self._orders, self._journal.tell)
        return Client(*about, self._errand) if self._errand else WorkerTerm(*about)
