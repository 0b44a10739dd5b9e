"""SlurmPlace: reads, builds and applies, put together behind the Place contract."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from cai_deploy import layout
from cai_deploy.access import Access
from cai_deploy.clock import Clock
from cai_deploy.diagnosis import Exhibit
from cai_deploy.errors import DeployError
from cai_deploy.holder import this_process
from cai_deploy.places.base import Collection, NotPossibleHere
from cai_deploy.places.code import code_digest
from cai_deploy.places.direct_http import DirectHttp
from cai_deploy.places.directory import DirectoryFiles
from cai_deploy.places.directory_ground import GroundInDirectory
from cai_deploy.places.draining import Drains
from cai_deploy.places.head_access import Words, access_to_head
from cai_deploy.places.lease import Claims, Lease
from cai_deploy.places.node_groups import launcher_files
from cai_deploy.places.node_logs import keep_logs
from cai_deploy.places.on_files import PlaceOnFiles
from cai_deploy.places.slurm.build import build, draft
from cai_deploy.places.slurm.evidence import gather
from cai_deploy.places.slurm.job_changes import JobChanges
from cai_deploy.places.slurm.last_words import last_words
from cai_deploy.places.slurm.members import ADDRESS
from cai_deploy.places.slurm.node_jobs import Where
from cai_deploy.places.slurm.observation import SlurmObservation
from cai_deploy.places.slurm.observe import ClusterReader
from cai_deploy.places.slurm.queue import Queue
from cai_deploy.places.token_door import Doors, TokenDoor
from cai_deploy.redaction import Redaction
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.state import Limits, NodeState, Step, Wanted

WORDS = Words(
    runs_as="job",
    when_refused="read the cluster's token as the user who launched it",
    if_unreadable="run this as the user who launched the cluster, or with the rights to read its directory",
)


QUEUED = (NodeState.PENDING, NodeState.FAILED)
"""Of jobs that have not begun: those that began and failed have ended, and are no nodes."""


class SlurmPlace(PlaceOnFiles):
    """The nodes of one cluster, as batch jobs that share ``directory``, which is absolute.

    ``say`` is told, in a sentence, when the place has to do other than was asked for. ``redact`` goes over all that was
    written by others before it is told; it learns here what is secret in the cluster.
    """

    name = "slurm"
    runs_as = "job"
    where = "Slurm"
    instead = "set `slurm.idle`, with which the head ends by itself when nobody uses it"

    def __init__(
        self,
        directory: Path,
        *,
        say: Callable[[str], None],
        queue: Queue | None = None,
        doors: Doors | None = None,
        redact: Redaction | None = None,
        clock: Clock | None = None,
    ) -> None:
        queue = queue or Queue()
        self._directory = directory
        self._files = DirectoryFiles(directory)
        self._redact = redact or Redaction()
        self._door = TokenDoor(doors or DirectHttp(), learnt=lambda token: self._redact.learn([token]))
        self._reader = ClusterReader(queue, directory, self._door)
        self._ground = GroundInDirectory(directory)
        self._jobs = JobChanges(queue, directory, clock)
        self._drains = Drains(self._door, say, named_by=ADDRESS)
        self._say = say
        self._cluster = ""
        self._seen = SlurmObservation()
        self._lease: Lease | None = None

    def observe_cluster(self, spec: ClusterSpec) -> SlurmObservation:
        """Everything that carries the mark of the cluster that ``spec`` names. Raises LeaseLost, see ``claim``."""
        self._cluster = spec.name
        self._seen = seen = self._reader.observe(spec)
        self._learn_secrets(spec, seen)
        self._check_claim(spec, seen)
        patience = Limits.of(spec).stop
        nodes = self._jobs.shown(self._drains.shown(seen.nodes), patience)
        return replace(seen, nodes=nodes, clients=self._jobs.shown(seen.clients, patience))

    def observe(self, spec: ClusterSpec) -> SlurmObservation:
        """The cluster, with the groundwork that ``spec`` needs."""
        seen = self.observe_cluster(spec)
        drafted = draft(spec, seen, self._where())
        return replace(seen, ground=self._ground.look((*drafted.ground(), *drafted.records())))

    def observe_leaving(self, spec: ClusterSpec) -> SlurmObservation:
        """The cluster, with the jobs that joined it: without a head they are of no use to anybody."""
        seen = self.observe_cluster(spec)
        return replace(seen, nodes=(*seen.clients, *seen.nodes), clients=())

    def build(self, spec: ClusterSpec, seen: SlurmObservation) -> Wanted:
        """The requests for ``spec``, under the epoch of our claim."""
        return build(spec, seen, self._where())

    def claim(self, purpose: str) -> Lease:
        """The right to change the cluster, kept in its directory."""
        claims = Claims(self._files, self._cluster, time.time)
        self._lease = claims.take(this_process(purpose), after=self._seen.epoch)
        return self._lease

    def intending(self, steps: Sequence[Step]) -> AbstractContextManager[None]:
        """Nothing has to be noted: each submission carries a ticket, by which it is found when its answer is lost."""
        return self._jobs.head_first(steps)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if step.kind != "node":
            self._ground.apply(step)
        elif step.action == "drain":
            self._drains.ask(step)
        else:
            self._drains.over(step.name)
            self._jobs.apply(step, self._reader.members)

    def access(self, spec: ClusterSpec) -> Access:
        """How a client reaches the head of the cluster that ``spec`` names. Raises NoHead when none can."""
        seen = self.observe_cluster(spec)
        return access_to_head(
            self._door,
            seen.connection.dashboard_address if seen.connection else "",
            next((node for node in seen.nodes if node.name == HEAD), None),
            spec.name,
            needs_token=(seen.applied_spec or spec).authentication == "token",
            words=WORDS,
        )

    def last_words(self, step: Step) -> str:
        """The end of what explains a step's failure."""
        if step.kind != "node":
            return ""
        queued = next((node for node in self._seen.nodes if node.name == step.name and node.state in QUEUED), None)
        if queued:  # what is in its log is of a job before it
            return f"job {queued.native_id} is in the queue: {queued.reason}"
        try:
            return self._redact(last_words(self._directory, self._cluster, step.name))
        except DeployError as error:
            return f"(its log could not be read: {error})"

    def evidence(self, spec: ClusterSpec) -> tuple[Exhibit, ...]:
        """Everything that the cluster of ``spec`` has written."""
        exhibits = gather(self._files, self.observe_cluster(spec), spec.name)
        return tuple(Exhibit(exhibit.source, self._redact(exhibit.text)) for exhibit in exhibits)

    def collector(self, spec: ClusterSpec) -> Collection | None:
        """Raises NotPossibleHere: a directory is its owner's, who can see what is in it."""
        raise NotPossibleHere(
            f"cluster {spec.name} is on Slurm, where nothing is left over but files",
            next_step=f"remove what nobody uses in {self._directory / layout.STATE_DIR}",
        )

    def delete_project(self, spec: ClusterSpec) -> str:
        """Raises NotPossibleHere: the directory is not of our making."""
        raise NotPossibleHere(
            f"cluster {spec.name} is on Slurm, where there is no project to delete",
            next_step=f"take the cluster down, and remove {self._directory / layout.STATE_DIR} if nobody needs it",
        )

    def forget(self, spec: ClusterSpec) -> None:
        """Remove the cluster's files and launchers, but for what its nodes wrote last.

        Environments and code stay: they belong to the directory, and the next launch uses them.
        """
        there = self._seen.applied_spec or spec
        for path in dict.fromkeys((*launcher_files(spec), *launcher_files(there))):
            if not self._ground.strange(path):
                self._files.delete(path)
        try:
            keep_logs(self._files, spec.name)
        except DeployError as error:  # what must go goes all the same
            self._say(f"what the nodes wrote is not kept, as its directory could not be renamed ({error})")
        self._files.delete(layout.cluster_dir(spec.name))

    def _state(self, spec: ClusterSpec) -> DirectoryFiles:
        del spec
        return self._files

    def _written(self, spec: ClusterSpec) -> DirectoryFiles:
        self.observe_cluster(spec)
        return self._files

    def _where(self) -> Where:
        return Where(str(self._directory), code_digest(), self._lease.epoch if self._lease else 0)
