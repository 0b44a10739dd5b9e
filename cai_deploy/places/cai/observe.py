"""Reading a workspace: everything of one cluster that it shows now.

Our applications are found by their mark, never by a ledger; a name that is taken by something without our mark is
reported as a stranger. Reads that do not depend on each other go out together.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from cai_deploy import connection, layout
from cai_deploy.api.application_http import ApplicationHttp
from cai_deploy.api.client import Client
from cai_deploy.api.schemas import Application, Project
from cai_deploy.config import parse as parse_spec
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConfigError, ConnectionFileError
from cai_deploy.places.cai import marks, names
from cai_deploy.places.cai.facts import actual_facts
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.places.cai.ray_status import list_ray_nodes
from cai_deploy.places.cai.setup_runs import checked_out_commit
from cai_deploy.places.cai.states import node_state
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.state import Ground, GroundState, Node, NodeState

PROJECT_STATES = {
    "creating": GroundState.IN_PROGRESS,
    "failure": GroundState.FAILED,
    "success": GroundState.READY,
    "": GroundState.READY,
}
"""``creation_status``; projects from before that field existed have none. Any other word is still in progress."""


class ClusterReader:
    """Reads one cluster of one project. ``project_id`` None means: find the project by the name in the spec.

    The commit of the project's clone takes two more calls, so it is read only for who ``reads_commit``.
    """

    def __init__(
        self, client: Client, door: ApplicationHttp, project_id: str | None, *, reads_commit: bool = False
    ) -> None:
        self._client = client
        self._door = door
        self._project_id = project_id
        self._reads_commit = reads_commit

    def find_project(self, spec: ClusterSpec) -> Project | None:
        """The cluster's project, None while there is none."""
        if self._project_id:
            return self._client.projects.get(self._project_id)
        return self._client.projects.find(spec.project.name)

    def observe(self, spec: ClusterSpec) -> CaiObservation:
        """Project, nodes, connection and files of the cluster that ``spec`` names."""
        project = self.find_project(spec)
        if project is None:
            return CaiObservation(runtimes=tuple(self._client.runtimes.list()))
        ground = project_ground(spec, project)
        if ground.state is not GroundState.READY:
            return CaiObservation(project=project, ground=(ground,), runtimes=tuple(self._client.runtimes.list()))
        with ThreadPoolExecutor(6) as pool:
            applications = pool.submit(self._client.applications.list, project.id)
            requirements = self._text(pool, project, spec.environment.requirements)
            applied = self._text(pool, project, layout.applied_spec_file(spec.name))
            connected = self._text(pool, project, layout.connection_file(spec.name))
            head = pool.submit(list_ray_nodes, self._door, names.subdomain(spec.name, HEAD, project.id))
            ours = owned(applications.result(), spec.name, project.id)
            missing = [script for script in own_scripts(spec) if not self._client.files.exists(project.id, script)]
            runtimes = () if HEAD in ours else tuple(self._client.runtimes.list())
            return CaiObservation(
                project=project,
                ground=(ground,),
                nodes=tuple(to_node(app, mark, head.result()) for app, mark in ours.values()),
                connection=parse_connection(connected.result()),
                strangers=strangers(applications.result(), spec, ours),
                applications={node: app for node, (app, _) in ours.items()},
                runtimes=runtimes,
                requirements=requirements.result(),
                applied_spec=parse_applied(applied.result()),
                commit=checked_out_commit(self._client, project.id) if self._reads_commit else "",
                missing_scripts=frozenset(missing),
            )

    def _text(self, pool: ThreadPoolExecutor, project: Project, path: str) -> Future[str | None]:
        return pool.submit(self._client.files.read_text, project.id, path)


def project_ground(spec: ClusterSpec, project: Project) -> Ground:
    """The project as groundwork."""
    state = PROJECT_STATES.get(project.creation_status.lower(), GroundState.IN_PROGRESS)
    reasons = {
        GroundState.IN_PROGRESS: "is being cloned",
        GroundState.FAILED: "the repository could not be cloned",
    }
    return Ground("project", spec.project.name, state, reason=reasons.get(state, ""))


def own_scripts(spec: ClusterSpec) -> set[str]:
    """The scripts that people wrote for their nodes."""
    return {group.script for _, group in spec.members() if group.script}


def owned(applications: list[Application], cluster: str, project_id: str) -> dict[str, tuple[Application, marks.Mark]]:
    """The applications that carry this cluster's mark, by node name."""
    found: dict[str, tuple[Application, marks.Mark]] = {}
    for application in applications:
        mark = marks.read(application.environment)
        if mark and (mark.cluster, mark.owner) == (cluster, project_id):
            found[mark.node] = (application, mark)
    return found


def strangers(
    applications: list[Application], spec: ClusterSpec, ours: dict[str, tuple[Application, marks.Mark]]
) -> frozenset[str]:
    """The nodes whose application name is taken by something that is not ours."""
    our_ids = {application.id for application, _ in ours.values()}
    taken = {application.name for application in applications if application.id not in our_ids}
    return frozenset(node for node, _ in spec.members() if names.application_name(spec.name, node) in taken)


def to_node(application: Application, mark: marks.Mark, ray_nodes: dict[str, tuple[str, str]]) -> Node:
    """One application as a node. What Ray says counts only while the application runs."""
    state = node_state(application.status)
    ray_state, address = ray_nodes.get(mark.node, ("", ""))
    running = state is NodeState.RUNNING
    return Node(
        name=mark.node,
        role="head" if mark.node == HEAD else "worker",
        group=mark.group,
        state=state,
        native_id=application.id,
        fingerprint=mark.fingerprint,
        address=address if running else "",
        ray_state=ray_state if running else "",
        facts=actual_facts(application),
    )


def parse_connection(text: str | None) -> ConnectionInfo | None:
    """The connection file's content; one that cannot be read (yet) is as good as none to an observer."""
    try:
        return connection.parse(text) if text else None
    except ConnectionFileError:
        return None


def parse_applied(text: str | None) -> ClusterSpec | None:
    """The specification that was last set out for; one from another version that no longer parses is none."""
    try:
        return parse_spec(text) if text else None
    except ConfigError:
        return None
