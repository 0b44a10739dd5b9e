"""CaiPlace: reads, builds and applies, put together behind the Place contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cai_deploy import layout
from cai_deploy.api.application_http import ApplicationHttp
from cai_deploy.api.client import Client
from cai_deploy.api.errors import ApiError
from cai_deploy.errors import AuthenticationError, DeployError
from cai_deploy.places.cai import setup_runs
from cai_deploy.places.cai.apply import apply
from cai_deploy.places.cai.build import Site, build
from cai_deploy.places.cai.fingerprints import fingerprint
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.places.cai.observe import ClusterReader
from cai_deploy.shell import last_lines
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Ground, GroundState, Step, Wanted, WantedGround


class CaiPlace:
    """The nodes of one cluster, as applications of one project.

    ``say`` is told, in a sentence, when the place has to do other than was asked for.
    """

    name = "cai"

    def __init__(
        self, client: Client, door: ApplicationHttp, site: Site, *, project_id: str | None, say: Callable[[str], None]
    ) -> None:
        self._client = client
        self._reader = ClusterReader(client, door, project_id, reads_commit=bool(site.commit))
        self._site = site
        self._say = say
        self._project_id = project_id or ""
        self._standing: dict[tuple[str, str], Ground] = {}
        self._inline_because = ""
        self._cluster = ""

    def observe_cluster(self, spec: ClusterSpec) -> CaiObservation:
        """Everything that carries the mark of the cluster that ``spec`` names."""
        self._cluster = spec.name
        seen = self._reader.observe(spec)
        self._project_id = seen.project.id if seen.project else self._project_id
        return seen

    def observe(self, spec: ClusterSpec) -> CaiObservation:
        """The cluster, with the groundwork that ``spec`` needs."""
        seen = self.observe_cluster(spec)
        if not seen.code_there:
            return seen
        wanted = self.build(spec, seen).ground
        more = tuple(self._observe_ground(want, seen) for want in wanted if want.kind != "project")
        return replace(seen, ground=(*seen.ground, *more))

    def build(self, spec: ClusterSpec, seen: CaiObservation) -> Wanted:
        """The requests for ``spec``; inline commands instead of scripts once an upload has been refused."""
        if self._inline_because:
            spec = spec.model_copy(update={"launch_with": "inline"})
        return build(spec, seen, self._site)

    def apply(self, step: Step) -> None:
        """Carry out one step. A launcher that cannot be uploaded is replaced by the inline command, and said so."""
        try:
            apply(self._client, step, self._project_id)
        except ApiError as error:
            if step.kind != "launcher" or isinstance(error, AuthenticationError) or error.retry_helps:
                raise
            self._inline_because = str(error)
            self._say(f"{step.name} could not be uploaded ({error}); nodes run the inline `ray start` command instead")

    def last_words(self, step: Step) -> str:
        """The end of the log that explains a step's failure."""
        try:
            if step.kind in setup_runs.JOB_LOGS:
                return setup_runs.job_log_tail(self._client, self._project_id, step.kind)
            if step.kind == "node":
                return last_lines(self.node_log(self._cluster, step.name))
        except DeployError as error:
            return f"(its log could not be read: {error})"
        return ""

    def node_log(self, cluster: str, node: str) -> str:
        """The agent's and Ray's output of one node, kept in the project as API v2 has no application logs."""
        if not self._project_id:
            return ""
        return self._client.files.read_text(self._project_id, layout.node_log_file(cluster, node)) or ""

    def forget(self, spec: ClusterSpec) -> None:
        """Remove the cluster's files. The environment stays: it belongs to the project, and the next launch uses it."""
        if self._project_id:
            self._client.files.delete(self._project_id, layout.cluster_dir(spec.name))

    def _observe_ground(self, want: WantedGround, seen: CaiObservation) -> Ground:
        """Groundwork that was seen standing is not looked at again by this process: nobody else takes it away."""
        key = (want.kind, want.name)
        if self._standing.get(key) != Ground(*key, GroundState.READY, want.fingerprint):
            self._standing[key] = self._look_at(want, seen)
        return self._standing[key]

    def _look_at(self, want: WantedGround, seen: CaiObservation) -> Ground:
        if want.kind == "environment":
            ready = setup_runs.environment_ready(self._client, self._project_id, want.name)
            missing = "" if ready else "does not exist"
            return setup_runs.observe_job_ground(self._client, self._project_id, want, missing)
        if want.kind == "code":
            at = seen.commit[:12] or "an unknown commit"
            missing = "" if seen.commit == want.fingerprint else f"the project is at {at}"
            return setup_runs.observe_job_ground(self._client, self._project_id, want, missing)
        text = self._client.files.read_text(self._project_id, want.name)
        if text is None:
            return Ground(want.kind, want.name, GroundState.ABSENT)
        return Ground(want.kind, want.name, GroundState.READY, fingerprint(text))
