"""Removing what nobody wants: the leftovers of a project, as far as the reconciler is concerned a cluster to take down.

While it works it holds the claims of all clusters of the project, as an environment that no node uses yet may be the
one that somebody is about to start nodes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from cai_deploy.api.client import Client
from cai_deploy.holder import this_process
from cai_deploy.places.cai.apply import apply_to_node
from cai_deploy.places.cai.contents import cluster_names, read_contents
from cai_deploy.places.cai.leftovers import Leftover, find_leftovers
from cai_deploy.places.cai.project_files import CaiFiles
from cai_deploy.places.lease import Claims
from cai_deploy.state import Observation, Step


class Collector:
    """The leftovers of the project ``project_id``."""

    def __init__(self, client: Client, project_id: str) -> None:
        self._client = client
        self._project_id = project_id

    def find(self) -> tuple[Leftover, ...]:
        """What nobody wants, as it is now. Reads only."""
        return find_leftovers(read_contents(self._client, self._project_id))

    def observe(self) -> Observation:
        """The applications among them, as nodes that are in the way."""
        return Observation(nodes=tuple(leftover.node for leftover in self.find() if leftover.node))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Around the removal: the claims of every cluster of the project. Raises HeldByAnother."""
        files = CaiFiles(self._client.files, self._project_id)
        with ExitStack() as leases:
            for cluster in cluster_names(self._client, self._project_id):
                claims = Claims(files, cluster, self._client.server_time)
                leases.callback(claims.take(this_process("gc"), after=0).release)
            yield

    def claim(self, purpose: str) -> None:
        """Everything is held already."""
        del purpose

    def intending(self, steps: Sequence[Step]) -> AbstractContextManager[None]:
        """Nothing is created here."""
        del steps
        return nullcontext()

    def apply(self, step: Step) -> None:
        """Delete one application."""
        apply_to_node(self._client, step, self._project_id)

    def last_words(self, step: Step) -> str:
        """What it has written is of no interest any more."""
        del step
        return ""

    def remove_others(self) -> list[Leftover]:
        """Delete the jobs, files and directories among them; those that were."""
        removed = [leftover for leftover in self.find() if not leftover.node]
        for leftover in removed:
            if leftover.job_id:
                self._client.jobs.delete(self._project_id, leftover.job_id)
            else:
                self._client.files.delete(self._project_id, leftover.path)
        return removed
