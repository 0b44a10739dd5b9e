"""Reading a workspace: everything of one cluster that it shows now.

Our applications are found by their mark, never by a ledger; a name that is taken by something without our mark is
reported as a stranger. Reads that do not depend on each other go out together, and what cannot change while somebody
waits is read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from cai_deploy import layout
from cai_deploy.api.client import Client
from cai_deploy.api.schemas import Project, Runtime
from cai_deploy.connection import ConnectionInfo
from cai_deploy.places import ray_status
from cai_deploy.places.cai import kept, names, sleep
from cai_deploy.places.cai.environments import needs_offers
from cai_deploy.places.cai.lock_file import asked_of_the_head, nodes_run_on_it, with_lock
from cai_deploy.places.cai.members import Member, owned, runtimes_in_use, strangers, to_node
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.places.cai.setup_runs import checked_out_branch, checked_out_commit
from cai_deploy.places.cai.texts import Texts
from cai_deploy.places.node_groups import own_scripts
from cai_deploy.places.ray_status import RayView, says_drained
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.places.written import parse_applied, parse_connection
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.state import DRAINED, Ground, GroundState, Node

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
        self,
        client: Client,
        door: TokenDoor,
        texts: Texts,
        project_id: str | None,
        *,
        reads_commit: bool = False,
    ) -> None:
        self._client = client
        self._door = door
        self._texts = texts
        self._project_id = project_id
        self._reads_commit = reads_commit
        self._project: Project | None = None
        self._runtimes: tuple[Runtime, ...] = ()
        self._scripts: set[str] = set()
        self._agent_may_answer = True
        self.may_sleep = False
        """Whether somebody is putting the cluster to sleep."""

    def observe(self, spec: ClusterSpec) -> CaiObservation:
        """Project, nodes, connection and files of the cluster that ``spec`` names."""
        project = self._project or self._find_project(spec)
        if project is None:
            return CaiObservation(runtimes=self._offered())
        ground = project_ground(spec, project)
        if ground.state is not GroundState.READY:
            return CaiObservation(project=project, ground=(ground,), runtimes=self._offered())
        self._project = project
        head, token = names.subdomain(spec.name, HEAD, project.id), layout.token_file(spec.name)
        self._door.opens_with(head, lambda: (self._client.files.read_text(project.id, token) or "").strip())
        applied = layout.applied_spec_file(spec.name)
        self._texts.look_anew()
        with ThreadPoolExecutor(4) as pool:
            view = pool.submit(ray_status.look, self._door, head)
            handed_out = pool.submit(self._ask_head, head, spec)
            texts = pool.submit(self._texts.read, project.id, (applied,))
            applications = self._client.applications.list(project.id)
            ours = owned(applications, spec.name, project.id)
            in_use = runtimes_in_use(ours)
            texts.result()
            wanted_last = parse_applied(kept.read(self._texts, project.id, applied))
            may_sleep = self.may_sleep or (wanted_last is not None and (sleep.may(wanted_last) or not ours))
            asleep = sleep.read(self._texts, project.id, spec.name) if may_sleep else None
            created = sorted(moment for member in ours if (moment := sleep.created(member.application)))
            self._agent_may_answer = view.result().agent
            seen = CaiObservation(
                project=project,
                ground=(ground, *([sleep.as_ground(spec.name, asleep)] if asleep else [])),
                nodes=tuple(self._to_node(member, view.result(), spec) for member in ours),
                connection=view.result().connection or self._connection_file(project.id, spec, ours),
                strangers=strangers(applications, spec.name, ours),
                runtimes_in_use=in_use,
                runtimes=self._offered() if needs_offers(spec, in_use) else (),
                applied_spec=wanted_last,
                commit=checked_out_commit(self._texts, project.id) if self._reads_commit else "",
                branch=checked_out_branch(self._texts, project.id) if self._reads_commit else "",
                missing_scripts=frozenset(self._missing_scripts(project.id, spec)),
                epoch=max((member.mark.epoch for member in ours), default=0),
                asleep=asleep,
                oldest=created[0] if created else None,
                newest=created[-1] if created else None,
            )
            return self._with_lock(spec, seen, project.id, handed_out.result())

    def _ask_head(self, head: str, spec: ClusterSpec) -> dict[str, str]:
        return self._texts.ask_head(head, asked_of_the_head(spec)) if self._agent_may_answer else {}

    def _with_lock(
        self, spec: ClusterSpec, seen: CaiObservation, project_id: str, handed_out: Mapping[str, str]
    ) -> CaiObservation:
        """``seen`` with the lock file: as the head hands it out where that is enough, else as the workspace has it."""
        path = spec.environment.requirements
        if path in handed_out and not self._reads_commit and not self._texts.knows(path):
            likely = with_lock(spec, seen, handed_out[path])
            if nodes_run_on_it(spec, likely):
                return likely
        return with_lock(spec, seen, self._texts.read(project_id, [path])[path])

    def _to_node(self, member: Member, view: RayView, spec: ClusterSpec) -> Node:
        node = to_node(member, view, spec)
        if node.ray_state == DRAINED and not says_drained(self._door, member.application.subdomain):
            return replace(node, ray_state="", address="")
        return node

    def _find_project(self, spec: ClusterSpec) -> Project | None:
        if self._project_id:
            return self._client.projects.get(self._project_id)
        return self._client.projects.find(spec.project.name)

    def _offered(self) -> tuple[Runtime, ...]:
        self._runtimes = self._runtimes or tuple(self._client.runtimes.list())
        return self._runtimes

    def _connection_file(self, project_id: str, spec: ClusterSpec, ours: list[Member]) -> ConnectionInfo | None:
        """What the head has written, where no agent tells it; while there is no head, there is nothing to read."""
        if not any(member.mark.node == HEAD for member in ours):
            return None
        return parse_connection(self._client.files.read_text(project_id, layout.connection_file(spec.name)))

    def _missing_scripts(self, project_id: str, spec: ClusterSpec) -> Iterable[str]:
        for script in own_scripts(spec) - self._scripts:
            if self._client.files.exists(project_id, script):
                self._scripts.add(script)
            else:
                yield script


def project_ground(spec: ClusterSpec, project: Project) -> Ground:
    """The project as groundwork."""
    state = PROJECT_STATES.get(project.creation_status.lower(), GroundState.IN_PROGRESS)
    reasons = {
        GroundState.IN_PROGRESS: "is being cloned",
        GroundState.FAILED: "the repository could not be cloned",
    }
    return Ground("project", spec.project.name, state, reason=reasons.get(state, ""))
