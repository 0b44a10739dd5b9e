"""SshPlace: reads, builds and applies, put together behind the Place contract."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from cai_deploy import layout
from cai_deploy.access import Access
from cai_deploy.diagnosis import Exhibit
from cai_deploy.errors import DeployError
from cai_deploy.holder import this_process
from cai_deploy.places.base import Collection, NotPossibleHere
from cai_deploy.places.code import code_digest
from cai_deploy.places.draining import Drains
from cai_deploy.places.evidence import node_lines, written
from cai_deploy.places.head_access import Words, access_to_head
from cai_deploy.places.lease import Claims, Lease
from cai_deploy.places.node_groups import launcher_files, own_scripts
from cai_deploy.places.node_logs import keep_logs
from cai_deploy.places.on_files import PlaceOnFiles
from cai_deploy.places.ssh.boot_entries import BootEntry
from cai_deploy.places.ssh.boot_of_hosts import entries_on, taken_away
from cai_deploy.places.ssh.build import build, draft
from cai_deploy.places.ssh.changes import NodeChanges, nobody_left
from cai_deploy.places.ssh.connections import Connections
from cai_deploy.places.ssh.control import Control
from cai_deploy.places.ssh.crowd import do_all
from cai_deploy.places.ssh.errors import HostUnreachable
from cai_deploy.places.ssh.farewell import Farewell
from cai_deploy.places.ssh.ground import GroundOnHosts
from cai_deploy.places.ssh.marks import owner_of
from cai_deploy.places.ssh.members import ADDRESS
from cai_deploy.places.ssh.node_requests import GRACE, Where
from cai_deploy.places.ssh.observation import SshObservation
from cai_deploy.places.ssh.observe import ClusterReader
from cai_deploy.places.ssh.reach import ReachedHttp
from cai_deploy.places.ssh.sftp_files import SftpFiles
from cai_deploy.places.ssh.spread_files import SpreadFiles
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.redaction import Redaction
from cai_deploy.shell import last_lines
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.ssh_hosts import SshHost
from cai_deploy.state import Node, NodeState, Step, Wanted

WORDS = Words(
    runs_as="process",
    when_refused="read the cluster's token as the user who launched it",
    if_unreadable="use the host's user who launched the cluster",
)
KEPT = ("logs", "evidence")
"""What ``down`` leaves on a host: what was written there last."""


class SshPlace(PlaceOnFiles):
    """The nodes of one cluster, as processes on hosts; lock file and scripts are in ``checkout``.

    ``say`` is told, in a sentence, when the place has to do other than was asked for.
    """

    name = "ssh"
    runs_as = "process"
    where = "hosts of yours"

    def __init__(self, checkout: Path, connections: Connections, *, say: Callable[[str], None]) -> None:
        self._connections = connections
        self._control = Control(connections)
        self._redact = Redaction()
        self._spec = ClusterSpec()
        self._door = TokenDoor(ReachedHttp(self._forward), learnt=lambda token: self._redact.learn([token]))
        self._reader = ClusterReader(connections, self._control, checkout, self._door)
        self._changes = NodeChanges(self._control, self._reader.known, say)
        self._drains = Drains(self._door, say, named_by=ADDRESS)
        self._farewell = Farewell(self._door)
        self._say = say
        self._seen = SshObservation()
        self._lease: Lease | None = None

    def observe_cluster(self, spec: ClusterSpec) -> SshObservation:
        """All nodes that carry the mark of the cluster that ``spec`` names, and those out of sight; see ``claim``."""
        self._spec = spec
        self._seen = seen = self._reader.observe(spec)
        self._learn_secrets(spec, seen)
        self._check_claim(spec, seen)
        return replace(seen, nodes=self._drains.shown(seen.nodes), joined=self._farewell.shown(seen.joined))

    def observe(self, spec: ClusterSpec) -> SshObservation:
        """The cluster, with the groundwork that ``spec`` needs."""
        seen = self.observe_cluster(spec)
        drafted = draft(spec, seen, self._where(spec), self._reader.head_of(spec))
        looked = self._ground(spec).look((*drafted.ground(), *drafted.records()), seen.hosts)
        return replace(seen, ground=tuple(looked))

    def build(self, spec: ClusterSpec, seen: SshObservation) -> Wanted:
        """The requests for ``spec``, under the epoch of our claim."""
        return build(draft(spec, seen, self._where(spec), self._reader.head_of(spec)))

    def observe_leaving(self, spec: ClusterSpec) -> SshObservation:
        """The nodes that can be reached: what is on other hosts keeps nobody from ending these, see ``forget``.

        Those that joined by themselves go too.
        """
        seen = self.observe_cluster(spec)
        reached = (node for node in seen.nodes if node.state is not NodeState.UNKNOWN)
        return replace(seen, nodes=(*seen.joined, *reached), joined=())

    def claim(self, purpose: str) -> Lease:
        """The right to change the cluster, kept on its head's host, by whose clock it runs out.

        From then on an observation raises LeaseLost when somebody else has changed it.
        """
        seen, head = self._seen, self._reader.head_of(self._spec)
        ahead = seen.hosts[head.name].time - time.time()
        files = self._reader.files(self._spec, seen.hosts[head.name].directory)
        claims = Claims(files, self._spec.name, lambda: time.time() + ahead)
        self._lease = claims.take(this_process(purpose), after=seen.epoch)
        return self._lease

    def intending(self, steps: Sequence[Step]) -> AbstractContextManager[None]:
        """Nothing has to be noted: each host knows what it was asked to start."""
        del steps
        return nullcontext()

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if step.kind != "node":
            self._ground(self._spec).apply(step, self._seen.hosts)
        elif step.action == "drain":
            self._drains.ask(step)
        elif guest := self._farewell.is_for(step, self._seen.joined):
            self._farewell.send_home(guest)
        else:
            self._drains.over(step.name)
            seconds = self._spec.timeouts.stop + GRACE
            self._changes.apply(step, self._spec.name, seconds, self._where(self._spec).owner)

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
        """The end of what explains a step's failure: its own log, or what was printed when it did not get so far."""
        if step.kind != "node":
            return ""
        cluster = self._spec.name
        try:
            files = self._spread()
            texts = (
                files.read_text(layout.node_log_file(cluster, step.name)),
                files.read_text(layout.job_output_file(cluster, step.name)),
            )
            return self._redact(last_lines(next(filter(None, texts), "")))
        except DeployError as error:
            return f"(its log could not be read: {error})"

    def evidence(self, spec: ClusterSpec) -> tuple[Exhibit, ...]:
        """Everything that the cluster of ``spec`` has written."""
        nodes: tuple[Node, ...] = self.observe_cluster(spec).nodes
        printed = {f"output of {node.name}": layout.job_output_file(spec.name, node.name) for node in nodes}
        found = (Exhibit("the nodes", node_lines(nodes)), *written(self._spread(), spec.name, nodes, printed))
        return tuple(Exhibit(each.source, self._redact(each.text)) for each in found if each.text)

    def collector(self, spec: ClusterSpec) -> Collection | None:
        """Raises NotPossibleHere: a cluster leaves nothing on its hosts."""
        raise NotPossibleHere(f"cluster {spec.name} is on hosts of yours, where `down` removes everything")

    def delete_project(self, spec: ClusterSpec) -> str:
        """Raises NotPossibleHere: there is none."""
        raise NotPossibleHere(f"cluster {spec.name} is on hosts of yours, where there is no project to delete")

    def forget(self, spec: ClusterSpec) -> None:
        """Remove all that is the cluster's from each host, but for what its nodes wrote last; the head's host is last.

        Raises DeployError, and keeps what the next ``down`` has to know, when nodes are on hosts that do not answer.
        """
        seen, head = self._seen, self._reader.head_of(spec)
        if error := nobody_left(seen.silent, seen.placement.nodes):
            raise error
        for name, why in seen.silent.items():
            self._say(f"{name} is left as it is, with none of the cluster's nodes on it ({why})")
        there = seen.applied_spec or spec
        paths = {path for each in (spec, there) for path in (*launcher_files(each), *own_scripts(each))}

        def clean(host: SshHost) -> None:
            try:
                keep_logs(self._files(host), spec.name)
            except HostUnreachable:
                raise
            except DeployError as error:  # what must go goes all the same
                self._say(f"what the nodes on {host.name} wrote is not kept ({error})")
            done = self._control.ask(host, "remove", spec.name, {"paths": sorted(paths), "kept": KEPT})
            if why := done["boot"]["why"]:
                self._say(f"{host.name} may keep what had it start nodes when it boots, and does nothing now ({why})")

        hosts = [self._reader.known[name] for name in seen.hosts]
        do_all([host for host in hosts if host != head], clean)
        clean(head)

    def boot_entries(self, spec: ClusterSpec) -> list[BootEntry]:
        """What has each host start its nodes again when it boots, and whether it stands there; changes nothing."""
        return entries_on(spec, self._control)

    def take_away_boot_entries(self, spec: ClusterSpec) -> dict[str, list[str]]:
        """What of that was taken away, host by host."""
        return taken_away(spec, self._control)

    def _where(self, spec: ClusterSpec) -> Where:
        owner = owner_of(self._reader.head_of(spec), spec.name)
        return Where(code_digest(), owner, self._lease.epoch if self._lease else 0)

    def _ground(self, spec: ClusterSpec) -> GroundOnHosts:
        return GroundOnHosts(self._connections, self._control, self._reader.known.__getitem__, spec.name)

    def _files(self, host: SshHost) -> SftpFiles:
        return SftpFiles(self._connections, host, self._seen.hosts[host.name].directory)

    def _state(self, spec: ClusterSpec) -> SftpFiles:
        head = self._reader.head_of(spec)
        if head.name not in self._seen.hosts:
            self.observe_cluster(spec)
        return self._files(head)

    def _written(self, spec: ClusterSpec) -> SpreadFiles:
        self.observe_cluster(spec)
        return self._spread()

    def _spread(self) -> SpreadFiles:
        return SpreadFiles({name: self._files(self._reader.known[name]) for name in self._seen.hosts})

    def _forward(self, address: str, port: int) -> int:
        return self._connections.forward(self._reader.head_of(self._spec), address, port)
