"""Which of a project's applications are nodes of a cluster, and what each of them is as a node.

Pure: what the workspace lists and what Ray says come in, nodes come out. An application is ours by its mark, where it
belongs, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cai_deploy.api.schemas import Application
from cai_deploy.places.cai import marks, names
from cai_deploy.places.cai.facts import actual_facts
from cai_deploy.places.cai.marks import Mark
from cai_deploy.places.cai.moments import moment
from cai_deploy.places.cai.states import node_state
from cai_deploy.places.ray_status import RayNode, RayView, drain_request
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.state import ALIVE, Node, NodeState

NOT_LISTED = RayNode("", "")


@dataclass(frozen=True)
class Member:
    """An application of ours, and its mark."""

    application: Application
    mark: Mark


def owned(applications: Iterable[Application], cluster: str, project_id: str) -> list[Member]:
    """The applications that carry this cluster's mark where it belongs, the oldest first."""
    found = []
    for application in applications:
        mark = marks.read(application.environment)
        if (
            mark
            and (mark.cluster, mark.owner) == (cluster, project_id)
            and application.subdomain == names.subdomain(cluster, mark.node, project_id)
        ):
            found.append(Member(application, mark))
    return sorted(found, key=lambda member: (member.application.created_at, member.application.id))


def strangers(applications: Iterable[Application], cluster: str, ours: Iterable[Member]) -> frozenset[str]:
    """The nodes whose application name is taken by something that is not ours."""
    our_ids = {member.application.id for member in ours}
    prefix = names.application_name(cluster, "")
    return frozenset(
        application.name.removeprefix(prefix)
        for application in applications
        if application.id not in our_ids and application.name.startswith(prefix)
    )


def to_node(member: Member, view: RayView, spec: ClusterSpec) -> Node:
    """One application as a node. What Ray says counts only while the application runs."""
    mark, application = member.mark, member.application
    state = node_state(application.status)
    running = state is NodeState.RUNNING
    ray = view.nodes.get(mark.node, NOT_LISTED) if running else NOT_LISTED
    changed_since = ray.state == ALIVE and ray.epoch not in (0, mark.epoch)
    if changed_since and started_since(application, mark.epoch):
        ray = NOT_LISTED  # what Ray lists is the one before, which it does not know to be gone
    head = names.subdomain(mark.cluster, HEAD, mark.owner)
    can_drain = view.agent and mark.node != HEAD and spec.update.drain > 0
    return Node(
        name=mark.node,
        role="head" if mark.node == HEAD else "worker",
        group=mark.group,
        state=state,
        native_id=application.id,
        fingerprint=mark.fingerprint,
        address=ray.address,
        ray_state=ray.state,
        facts=actual_facts(application),
        idle=ray.idle,
        drain=drain_request({"subdomain": head}, mark.node, spec.update.drain) if can_drain else None,
        stale=changed_since and ray is not NOT_LISTED,
    )


def started_since(application: Application, epoch: int) -> bool:
    """Whether an application was started after the claim of ``epoch``, which is a time of the same clock."""
    began = moment(max(application.starting_at, application.running_at))
    return began is not None and began.timestamp() >= epoch  # None: the platform does not say


def runtimes_in_use(ours: Iterable[Member]) -> dict[str, str]:
    """The image of each group, as its oldest node has it; one without, of a legacy engine, does not count."""
    images: dict[str, str] = {}
    for member in ours:
        if member.application.runtime_identifier:
            images.setdefault(member.mark.group, member.application.runtime_identifier)
    return images
