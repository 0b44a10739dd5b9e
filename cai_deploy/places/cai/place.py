"""CaiPlace: reads, builds and applies, put together behind the Place contract."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timezone

from cai_deploy import layout
from cai_deploy.access import Access
from cai_deploy.api.application_http import ApplicationHttp
from cai_deploy.api.client import Client
from cai_deploy.api.creation import answer_lost
from cai_deploy.api.errors import ApiError, Conflict
from cai_deploy.diagnosis import Exhibit
from cai_deploy.errors import AuthenticationError, DeployError
from cai_deploy.hibernation import Asleep, Pulse
from cai_deploy.holder import this_process
from cai_deploy.places import intents
from cai_deploy.places.appointment import Appointment
from cai_deploy.places.base import LeaseLost
from cai_deploy.places.cai import kept, names, program, setup_runs
from cai_deploy.places.cai.apply import apply
from cai_deploy.places.cai.appointments import appointments
from cai_deploy.places.cai.build import build, draft, outlived
from cai_deploy.places.cai.collector import Collector
from cai_deploy.places.cai.contents import cluster_names
from cai_deploy.places.cai.evidence import gather
from cai_deploy.places.cai.facts import variables
from cai_deploy.places.cai.ground import GroundReader
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.places.cai.observe import ClusterReader
from cai_deploy.places.cai.project_files import CaiFiles
from cai_deploy.places.cai.project_removal import delete_project
from cai_deploy.places.cai.room import Room, all_there, look_if_told, require_room, taken_by_others
from cai_deploy.places.cai.site import Site
from cai_deploy.places.cai.sleep import activity, begins
from cai_deploy.places.cai.texts import Texts
from cai_deploy.places.draining import Drains
from cai_deploy.places.head_access import Words, access_to_head
from cai_deploy.places.lease import Claims, Lease
from cai_deploy.places.node_groups import launcher_files
from cai_deploy.places.node_logs import LogFiles, keep_logs, open_logs
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.places.written import parse_applied
from cai_deploy.redaction import Redaction, secret_values
from cai_deploy.render import LAUNCHER_SIGN
from cai_deploy.shell import last_lines
from cai_deploy.spec import HEAD, ClusterSpec, Schedule
from cai_deploy.state import Limits, NodeState, Step, Wanted

WORDS = Words(
    runs_as="application",
    when_refused="use an API key whose owner may open the project's applications and read its files",
    if_unreadable="use an API key whose owner may read the project's files",
)

SEEN_ANYWAY = ("project", "sleep")
"""Groundwork that every look at the cluster shows."""


class CaiPlace:
    """The nodes of one cluster, as applications of one project.

    ``say`` is told, in a sentence, when the place has to do other than was asked for. ``redact`` goes over all that was
    written by others before it is told; it learns here what is secret in the cluster. ``reads_code``: somebody wants to
    know which commit the project is at.
    """

    name = "cai"
    runs_as = "application"

    def __init__(
        self,
        client: Client,
        door: ApplicationHttp,
        site: Site,
        *,
        project_id: str | None,
        say: Callable[[str], None],
        redact: Redaction | None = None,
        reads_code: bool = False,
    ) -> None:
        self._client = client
        self._door = TokenDoor(door, learnt=lambda token: self._redact.learn([token]))
        self._texts = Texts(client.files, self._door)
        self._reader = ClusterReader(
            client, self._door, self._texts, project_id, reads_commit=reads_code or bool(site.commit or site.credential)
        )
        self._ground = GroundReader(client, self._texts)
        self._drains = Drains(self._door, say, named_by="subdomain")
        self._site = site
        self._say = say
        self._redact = redact or Redaction()
        if site.credential:
            self._redact.learn([site.credential.secret])
        self._given_project = project_id or ""
        self._inline_because = ""
        self._room: Room | None = None
        self._cluster = ""
        self._seen = CaiObservation()
        self._lease: Lease | None = None
        self._intended: frozenset[str] = frozenset()

    @property
    def _project_id(self) -> str:
        """The project that was last seen, or else the one that we were given; "" before there is any."""
        return self._seen.project.id if self._seen.project else self._given_project

    @property
    def _files(self) -> CaiFiles:
        return CaiFiles(self._client.files, self._project_id)

    def _head(self, cluster: str) -> str:
        """Where the head of ``cluster`` answers."""
        return names.subdomain(cluster, HEAD, self._project_id)

    def observe_cluster(self, spec: ClusterSpec) -> CaiObservation:
        """Everything that carries the mark of the cluster that ``spec`` names. Raises LeaseLost, see ``claim``."""
        self._cluster = spec.name
        seen = self._reader.observe(spec)
        self._seen = seen
        for node in seen.nodes:
            self._redact.learn(secret_values(variables(node.facts)))
        if self._lease and self._lease.held and seen.epoch > self._lease.epoch:
            raise LeaseLost(
                f"cluster {spec.name} was changed by another deployer", next_step="run the same command again"
            )
        return replace(seen, nodes=self._drains.shown(seen.nodes))

    def observe(self, spec: ClusterSpec) -> CaiObservation:
        """The cluster, with the groundwork that ``spec`` needs."""
        seen = self.observe_cluster(spec)
        if self._room is None and not all_there(spec, seen.nodes):
            self._room = look_if_told(self._client)
            for short in taken_by_others(spec, self._room, seen.nodes):
                self._say(f"note: {short}; nodes wait in SCHEDULING until that ends")
        if not seen.code_there:
            return seen
        drafted = draft(self._as_possible(spec), seen, self._site)
        wanted = (*drafted.ground(self._site), *drafted.records(self._site))
        needed = [want for want in wanted if want.kind not in SEEN_ANYWAY]
        return replace(seen, ground=(*seen.ground, *self._ground.look(needed, seen, spec.name)))

    def observe_leaving(self, spec: ClusterSpec) -> CaiObservation:
        """The cluster, and its jobs if it may have some."""
        seen = self.observe_cluster(spec)
        jobs = [want for want in self.build_leaving(spec, seen).ground if want.kind not in SEEN_ANYWAY]
        return replace(seen, ground=(*seen.ground, *self._ground.look(jobs, seen, spec.name)))

    def build_leaving(self, spec: ClusterSpec, seen: CaiObservation) -> Wanted:
        """Nothing; the jobs go first, as they would bring everything back."""
        alone = spec.model_copy(update={"watchdog": None, "schedule": Schedule()})
        had = replace(seen, applied_spec=seen.applied_spec or spec)
        jobs = tuple(want for want in outlived(alone, had) if want.kind not in SEEN_ANYWAY)
        return Wanted(jobs, limits=Limits.of(spec))

    def observe_jobs(self, spec: ClusterSpec) -> CaiObservation:
        """All that happens to the cluster by the clock. Its nodes are left out, as nothing is to become of them."""
        seen = self.observe_cluster(spec)
        return replace(seen, nodes=(), ground=self._ground.look(self.build_jobs(spec, seen).ground, seen, spec.name))

    def build_jobs(self, spec: ClusterSpec, seen: CaiObservation) -> Wanted:
        """The jobs that ``spec`` wants, and ``spec`` kept in the project, by which whoever comes later knows them."""
        drafted = draft(self._as_possible(spec), seen, self._site)
        return Wanted(drafted.timetable(self._site), limits=Limits.of(spec))

    def appointments(self, spec: ClusterSpec) -> list[Appointment]:
        """Every job that acts on the cluster by the clock or after another one."""
        seen = self.observe_cluster(spec)
        return appointments(self._client, seen.project.id, spec.name) if seen.project and seen.code_there else []

    def pulse(self, spec: ClusterSpec, seen: CaiObservation) -> Pulse:
        """How the cluster lives; its head is asked what it does."""
        head = any(node.role == HEAD and node.state is NodeState.RUNNING for node in seen.nodes)
        told = activity(self._door, self._head(spec.name)) if head else None
        now = datetime.fromtimestamp(self._client.server_time(), timezone.utc)
        return Pulse(now, seen.applied_spec, seen.asleep, told, seen.oldest, seen.newest)

    def build_asleep(self, spec: ClusterSpec, seen: CaiObservation, asleep: Asleep) -> Wanted:
        """No nodes, once the record stands: a run that dies on the way is finished by the next one."""
        self._reader.may_sleep = True
        record = () if seen.asleep else (begins(spec.name, self._project_id, asleep),)
        return Wanted(record, limits=Limits.of(spec), gently=True)

    def build(self, spec: ClusterSpec, seen: CaiObservation) -> Wanted:
        """The requests for ``spec``, under the epoch of our claim. Raises NoRoom when nodes would wait for ever."""
        if self._room:
            require_room(spec, self._room)
        return build(self._as_possible(spec), seen, self._site, self._lease.epoch if self._lease else 0)

    def _as_possible(self, spec: ClusterSpec) -> ClusterSpec:
        """Inline commands instead of scripts once an upload has been refused."""
        return spec.model_copy(update={"launch_with": "inline"}) if self._inline_because else spec

    def claim(self, purpose: str) -> Lease | None:
        """The right to change the cluster, kept in its project; what an earlier holder left open is known from then."""
        if not self._seen.code_there:
            return None
        claims = Claims(self._files, self._cluster, self._client.server_time)
        self._lease = claims.take(this_process(purpose), after=self._seen.epoch)
        # Whoever had the cluster before us may have changed what it is to be, or put it to sleep.
        applied = layout.applied_spec_file(self._cluster)
        self._texts.forget(applied, applied + kept.SPARE, layout.asleep_file(self._cluster))
        self._intended = intents.read(self._files, self._cluster)
        return self._lease

    def intending(self, steps: Sequence[Step]) -> AbstractContextManager[None]:
        """Around the application of ``steps``, see ``intents.py``."""
        return intents.noted(self._files, self._cluster, steps, answer_lost)

    def apply(self, step: Step) -> None:
        """Carry out one step. A launcher that cannot be uploaded is replaced by the inline command, and said so."""
        self._ground.changed(step)
        if step.action == "drain":
            self._drains.ask(step)
            return
        self._drains.over(step.name)
        try:
            apply(self._client, self._filled(step), self._project_id)
        except Conflict:
            if step.action != "create" or step.name not in self._intended:
                raise
            self._say(f"{step.name} is being created already, by an earlier run")
        except ApiError as error:
            if step.kind != "launcher" or isinstance(error, AuthenticationError) or error.retry_helps:
                raise
            self._inline_because = str(error)
            self._say(f"{step.name} could not be uploaded ({error}); nodes run the inline `ray start` command instead")

    def _filled(self, step: Step) -> Step:
        """The step with what no plan shows."""
        if step.kind != "credential" or not step.request or not self._site.credential:
            return step
        body = {**step.request["body"], "content": self._site.credential.secret}
        return replace(step, request={**step.request, "body": body})

    def access(self, spec: ClusterSpec) -> Access:
        """How a client reaches the head of the cluster that ``spec`` names. Raises NoHead when none can."""
        seen = self.observe_cluster(spec)
        return access_to_head(
            self._door,
            self._head(spec.name),
            next((node for node in seen.nodes if node.name == HEAD), None),
            spec.name,
            needs_token=(seen.applied_spec or spec).authentication == "token",
            words=WORDS,
        )

    def last_words(self, step: Step) -> str:
        """The end of the log that explains a step's failure."""
        try:
            if step.kind in setup_runs.JOB_LOGS:
                return self._redact(setup_runs.job_log_tail(self._client, self._project_id, step.kind))
            if step.kind == "node":
                return last_lines(self._node_log(self._cluster, step.name))
        except DeployError as error:
            return f"(its log could not be read: {error})"
        return ""

    def _node_log(self, cluster: str, node: str) -> str:
        """The agent's and Ray's output of one node, kept in the project as API v2 has no application logs."""
        return self._redact(self._files.read_text(layout.node_log_file(cluster, node)) or "")

    def logs(self, spec: ClusterSpec) -> LogFiles:
        """What the nodes of the cluster that ``spec`` names have written; those of a cluster that is down are kept."""
        self.observe_cluster(spec)  # finds the project, and what is secret in the cluster
        return open_logs(self._files, spec.name, now=self._client.server_time, redact=self._redact)

    def evidence(self, spec: ClusterSpec) -> tuple[Exhibit, ...]:
        """Everything that the cluster of ``spec`` has written."""
        exhibits = gather(self._client, self.observe_cluster(spec), spec.name)
        return tuple(Exhibit(exhibit.source, self._redact(exhibit.text)) for exhibit in exhibits)

    def keep_evidence(self, spec: ClusterSpec, text: str) -> str:
        """Put ``text`` where ``down`` does not remove it; its path, "" when there is no project yet."""
        if not self._seen.code_there:
            return ""
        path = layout.evidence_file(spec.name, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._client.server_time())))
        self._files.create(path, text.encode())
        return path

    def reached_spec(self, spec: ClusterSpec) -> ClusterSpec | None:
        """The specification that the cluster called as in ``spec`` last reached, with the environments it ran on."""
        seen = self._reader.observe(spec)
        if not seen.project or not seen.code_there:
            return None
        path = layout.converged_spec_file(spec.name)
        return parse_applied(kept.read(self._texts, seen.project.id, path))

    def collector(self, spec: ClusterSpec) -> Collector | None:
        """What can be cleaned up in the project of ``spec``; None while there is no such project."""
        seen = self._reader.observe(spec)
        return Collector(self._client, seen.project.id) if seen.project and seen.code_there else None

    def delete_project(self, spec: ClusterSpec) -> str:
        """Remove the project of ``spec``; its name, "" when there is none. Raises ProjectNotOurs, NotConverged."""
        return delete_project(self._client, spec, self._project_id)

    def forget(self, spec: ClusterSpec) -> None:
        """Remove the cluster's files and launchers, but for what its nodes wrote last.

        The environment stays: it belongs to the project, and the next launch uses it.
        """
        if not self._seen.code_there:
            return
        for path in dict.fromkeys((*launcher_files(spec), *launcher_files(self._seen.applied_spec or spec))):
            if LAUNCHER_SIGN in (self._files.read_text(path) or ""):
                self._files.delete(path)
        self._keep_logs(spec.name)
        self._files.delete(layout.cluster_dir(spec.name))
        if not cluster_names(self._client, self._project_id):
            program.remove(self._client, self._project_id, self._say)

    def _keep_logs(self, cluster: str) -> None:
        try:
            keep_logs(self._files, cluster)
        except ApiError as error:  # what must go goes all the same
            self._say(f"what the nodes wrote is not kept, as its directory could not be renamed ({error})")
