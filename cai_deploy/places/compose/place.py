"""ComposePlace: reads, builds and applies, put together behind the Place contract."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from cai_deploy import layout
from cai_deploy.access import Access
from cai_deploy.diagnosis import Exhibit
from cai_deploy.errors import DeployError
from cai_deploy.holder import this_process
from cai_deploy.node.head_search import listens
from cai_deploy.places.base import Collection, NotPossibleHere
from cai_deploy.places.code import code_digest
from cai_deploy.places.compose.build import Draft, build, draft
from cai_deploy.places.compose.changes import ContainerChanges
from cai_deploy.places.compose.engine import Engine
from cai_deploy.places.compose.errors import HEAD_ON_IT, NoHeadThere, OnlyItsOwnNetwork
from cai_deploy.places.compose.evidence import gather, last_words
from cai_deploy.places.compose.ground import GroundOfCompose
from cai_deploy.places.compose.marks import owner_of
from cai_deploy.places.compose.observation import ComposeObservation
from cai_deploy.places.compose.observe import ADDRESS, ClusterReader, published
from cai_deploy.places.compose.plans import Where
from cai_deploy.places.direct_http import DirectHttp
from cai_deploy.places.directory import DirectoryFiles
from cai_deploy.places.directory_ground import GroundInDirectory
from cai_deploy.places.draining import Drains
from cai_deploy.places.head_access import Words, access_to_head
from cai_deploy.places.lease import Claims, Lease
from cai_deploy.places.node_groups import launcher_files
from cai_deploy.places.node_logs import keep_logs
from cai_deploy.places.on_files import PlaceOnFiles
from cai_deploy.places.token_door import Doors, TokenDoor
from cai_deploy.redaction import Redaction
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.state import GroundState, NodeState, Step, Wanted

WORDS = Words(
    runs_as="container",
    when_refused="read the cluster's token as the user who launched it",
    if_unreadable="run this as the user who launched the cluster, or with the rights to read its directory",
)

DOWN_SECONDS = 120.0


class ComposePlace(PlaceOnFiles):
    """The nodes of one cluster, as containers that share ``directory``, which is absolute.

    ``say`` is told, in a sentence, when the place has to do other than was asked for. ``redact`` goes over all that was
    written by others before it is told; it learns here what is secret in the cluster.
    """

    name = "compose"
    runs_as = "container"
    where = "Docker Compose"
    instead = "nothing: Docker starts a container again that ends"

    def __init__(
        self,
        directory: Path,
        *,
        say: Callable[[str], None],
        engine: Engine | None = None,
        doors: Doors | None = None,
        redact: Redaction | None = None,
    ) -> None:
        self._engine = engine or Engine()
        self._directory = directory
        self._owner = owner_of(str(directory))
        self._files = DirectoryFiles(directory)
        self._redact = redact or Redaction()
        self._door = TokenDoor(doors or DirectHttp(), learnt=lambda token: self._redact.learn([token]))
        self._reader = ClusterReader(self._engine, directory, self._door)
        self._ground = GroundOfCompose(directory, self._engine)
        self._containers = ContainerChanges(self._engine, self._owner)
        self._drains = Drains(self._door, say, named_by=ADDRESS)
        self._say = say
        self._spec = ClusterSpec()
        self._seen = ComposeObservation()
        self._lease: Lease | None = None

    def observe_cluster(self, spec: ClusterSpec) -> ComposeObservation:
        """Everything that carries the mark of the cluster that ``spec`` names."""
        self._spec = spec
        self._seen = seen = self._reader.observe(spec)
        self._learn_secrets(spec, seen)
        return replace(seen, nodes=self._drains.shown(seen.nodes))

    def observe(self, spec: ClusterSpec) -> ComposeObservation:
        """The cluster, with the groundwork that ``spec`` needs."""
        if spec.compose.address and self._reader.rootless:
            raise OnlyItsOwnNetwork(HEAD_ON_IT)
        seen = self.observe_cluster(spec)
        drafted = draft(spec, seen, self._where(seen.user))
        return replace(seen, ground=self._ground.look((*drafted.ground(), *drafted.records())))

    def observe_leaving(self, spec: ClusterSpec) -> ComposeObservation:
        """The cluster, with the workers of this host that are part of another one: their files go too."""
        seen = self.observe_cluster(spec)
        return replace(seen, nodes=(*seen.guests, *seen.nodes), guests=())

    def build(self, spec: ClusterSpec, seen: ComposeObservation) -> Wanted:
        """The requests for ``spec``."""
        return build(spec, seen, self._where(seen.user))

    def drafted(self, spec: ClusterSpec) -> Draft:
        """What ``spec`` comes to in this directory, without a look at Docker."""
        seen = ComposeObservation(requirements=self._files.read_text(spec.environment.requirements))
        return draft(spec, seen, self._where("" if os.getuid() == 0 else f"{os.getuid()}:{os.getgid()}"))

    def claim(self, purpose: str) -> Lease:
        """The right to change the cluster, kept in its directory. Raises what Docker lacks, before anything is done."""
        self._engine.check()
        claims = Claims(self._files, self._spec.name, time.time)
        self._lease = claims.take(this_process(purpose), after=self._seen.epoch)
        return self._lease

    def intending(self, steps: Sequence[Step]) -> AbstractContextManager[None]:
        """Nothing has to be noted: Compose counts what is there before it makes more."""
        del steps
        return contextlib.nullcontext()

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if step.kind != "node":
            self._ground.apply(step)
        elif step.action == "drain":
            self._drains.ask(step)
        else:
            self._drains.over(step.name)
            self._containers.apply(step, self._spec.name, self._spec.timeouts.stop)

    def restart(self, spec: ClusterSpec, names: Sequence[str]) -> list[str]:
        """Have the containers of these nodes, of all when none is named, end and begin again, the head's first."""
        seen = self.observe_cluster(spec)
        there = {node.name: node for node in seen.nodes}
        if unknown := [name for name in names if name not in there]:
            raise NotPossibleHere(
                f"cluster {spec.name} has no node {', '.join(unknown)}",
                next_step=f"name one of {', '.join(sorted(there))}" if there else "python -m cai_deploy launch",
            )
        chosen = sorted((there[name] for name in names or there), key=lambda node: (node.name != HEAD, node.name))
        with self._claimed("restart"):
            for node in chosen:
                step = Step("restart", "node", node.name, "was asked for", 0, node.native_id)
                self._containers.apply(step, spec.name, spec.timeouts.stop)
        return [node.name for node in chosen]

    def up_worker(self, spec: ClusterSpec, head_ip: str, node_ip: str, token: str) -> tuple[str, bool]:
        """Have a worker of this host join the head at ``head_ip``, as ``node_ip``; what it is called, and if it is new.

        ``token`` is that of the cluster, "" where it stands here already or none is needed.
        """
        if spec.tls:
            raise NotPossibleHere(
                f"cluster {spec.name} speaks TLS, and what signs its certificates is on the head's machine",
                next_step="leave `tls` out, and have the machines talk through a VPN instead",
            )
        if self._reader.rootless:
            raise OnlyItsOwnNetwork("a worker that joins from elsewhere needs it")
        if not listens(f"{head_ip}:{spec.ports.gcs}"):
            raise NoHeadThere(head_ip, spec.ports.gcs)
        seen = self.observe_cluster(spec)
        drafted = draft(spec, seen, self._where(seen.user))
        with self._claimed("up-worker"):
            for want in drafted.ground():
                if want.kind != "specification":  # the cluster's own, which is another host's matter
                    (found,) = self._ground.look([want])
                    if (found.state, found.fingerprint) != (GroundState.READY, want.fingerprint):
                        self._ground.apply(Step("create", want.kind, want.name, "", 0, request=want.request))
            if token:
                self._ground.write(layout.token_file(spec.name), token, closed=True)
            request = drafted.guest(head_ip, node_ip)
            what = f"no worker can be started for the head at {head_ip}"
            self._engine.compose(request["compose"], request["seconds"], what, request["variables"])
        before = {node.native_id for node in seen.guests if node.state is NodeState.RUNNING}
        is_new = not {node.native_id for node in self.observe_cluster(spec).guests} <= before
        return str(request["variables"]["NODE_NAME"]), is_new

    def access(self, spec: ClusterSpec) -> Access:
        """How a client reaches the head of the cluster that ``spec`` names. Raises NoHead when none can."""
        seen = self.observe_cluster(spec)
        there = seen.applied_spec or spec
        return access_to_head(
            self._door,
            published(there),
            next((node for node in seen.nodes if node.name == HEAD), None),
            spec.name,
            needs_token=there.authentication == "token",
            words=WORDS,
        )

    def last_words(self, step: Step) -> str:
        """The end of what explains a step's failure."""
        if step.kind != "node":
            return ""
        try:
            return self._redact(last_words(self._files, self._engine, self._spec.name, step))
        except DeployError as error:
            return f"(its log could not be read: {error})"

    def evidence(self, spec: ClusterSpec) -> tuple[Exhibit, ...]:
        """Everything that the cluster of ``spec`` has written."""
        exhibits = gather(self._files, self._engine, self.observe_cluster(spec), spec.name)
        return tuple(Exhibit(exhibit.source, self._redact(exhibit.text)) for exhibit in exhibits)

    def collector(self, spec: ClusterSpec) -> Collection | None:
        """Raises NotPossibleHere: a directory is its owner's, who can see what is in it."""
        raise NotPossibleHere(
            f"cluster {spec.name} is on Docker Compose, where nothing is left over but files and images",
            next_step=f"remove what nobody uses in {self._directory / layout.STATE_DIR}; docker image prune",
        )

    def delete_project(self, spec: ClusterSpec) -> str:
        """Raises NotPossibleHere: the directory is not of our making."""
        raise NotPossibleHere(
            f"cluster {spec.name} is on Docker Compose, where there is no project to delete",
            next_step=f"take the cluster down, and remove {self._directory / layout.STATE_DIR} if nobody needs it",
        )

    def forget(self, spec: ClusterSpec) -> None:
        """Remove the cluster's network, files and launchers, but for what its nodes wrote last.

        Code and images stay: they belong to the directory and the host, and the next launch uses them.
        """
        there = self._seen.applied_spec or spec
        project = self._where("").project(spec.name)
        if self._files.exists(layout.compose_file(spec.name)):
            down = ["--project-name", project, "down", "--volumes", "--remove-orphans"]
            self._engine.compose(down, DOWN_SECONDS, f"the network of cluster {spec.name} cannot be removed")
        ground = GroundInDirectory(self._directory)
        remote = layout.worker_launcher_file(spec.name, "remote-worker")
        for path in dict.fromkeys((*launcher_files(spec), *launcher_files(there), remote)):
            if not ground.strange(path):
                self._files.delete(path)
        try:
            keep_logs(self._files, spec.name)
        except DeployError as error:  # what must go goes all the same
            self._say(f"what the nodes wrote is not kept, as its directory could not be renamed ({error})")
        self._files.delete(layout.cluster_dir(spec.name))

    @contextlib.contextmanager
    def _claimed(self, purpose: str) -> Iterator[None]:
        lease = self.claim(purpose)
        try:
            yield
        finally:
            lease.release()

    def _state(self, spec: ClusterSpec) -> DirectoryFiles:
        del spec
        return self._files

    def _written(self, spec: ClusterSpec) -> DirectoryFiles:
        self.observe_cluster(spec)
        return self._files

    def _where(self, user: str) -> Where:
        return Where(str(self._directory), code_digest(), user)
