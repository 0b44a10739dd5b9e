"""Which jobs are nodes of a cluster, what each of them is as a node, and how those ended that are there no more. Pure.

Only a job that has not ended is a node. Of several for one node the newest counts first; but one that waits for another
of them to end is its heir, which becomes the node at that moment and is nothing until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cai_deploy.places.ray_status import RayNode, RayView, drain_request
from cai_deploy.places.slurm.answers import Job
from cai_deploy.places.slurm.batch import UNSHARED
from cai_deploy.places.slurm.client_jobs import GROUP
from cai_deploy.places.slurm.marks import Mark
from cai_deploy.places.slurm.states import why_waiting
from cai_deploy.spec import HEAD, ClusterSpec
from cai_deploy.state import DRAINED, Node, NodeState

ADDRESS = "address"
"""Under which key a request to the head has its host and port."""

SETTLED_AFTER = 5.0
"""Seconds. What Slurm says of a job that it has just taken is a guess, which may be the wrong one."""

NOT_BEGUN = "JobLaunchFailure"
"""Slurm's reason for the end of a job whose script did not begin."""

NOT_LISTED = RayNode("", "")


@dataclass(frozen=True)
class Member:
    """A job of ours, and its mark."""

    mark: Mark
    job: Job

    @property
    def is_client(self) -> bool:
        """Whether it is no part of what the cluster is to be."""
        return self.mark.group == GROUP


@dataclass(frozen=True)
class Members:
    """The jobs of one cluster: those that live, those that take their place one day, those that have ended."""

    living: tuple[Member, ...]
    heirs: tuple[Member, ...]
    ended: tuple[Member, ...]

    @property
    def head(self) -> Member | None:
        """The head's job."""
        return next((member for member in self.living if member.mark.node == HEAD), None)

    def heirs_of(self, job_id: int) -> list[int]:
        """The jobs that begin when this one ends."""
        return [heir.job.job_id for heir in self.heirs if job_id in heir.job.waits_for]


def sort_out(marked: Iterable[tuple[Mark, Job]]) -> Members:
    """The jobs of one cluster, the newest first."""
    members = sorted((Member(mark, job) for mark, job in marked), key=lambda member: -member.job.job_id)
    there = [member for member in members if not member.job.over]
    heirs = [member for member in there if _is_heir(member, there)]
    living = [member for member in there if member not in heirs]
    return Members(tuple(living), tuple(heirs), tuple(member for member in members if member.job.over))


def to_node(member: Member, view: RayView, spec: ClusterSpec, address: str, now: float) -> Node:
    """One job as a node. What Ray says counts only while the job runs; ``address`` is where the head answers.

    ``now`` is in seconds since 1970: why a job waits is believed once Slurm has had the time to look at it.
    """
    mark, job = member.mark, member.job
    stands = job.standing
    settled = now - (job.submit_time or 0) >= SETTLED_AFTER
    hopeless = stands.state is NodeState.PENDING and not stands.waiting_helps and settled
    state = NodeState.FAILED if hopeless else stands.state
    ray = _in_ray(mark, view) if state is NodeState.RUNNING else NOT_LISTED
    can_drain = view.agent and mark.node != HEAD and spec.update.drain > 0
    return Node(
        name=mark.node,
        role="head" if mark.node == HEAD else "worker",
        group=mark.group,
        state=state,
        native_id=str(job.job_id),
        fingerprint=mark.fingerprint,
        address=ray.address,
        ray_state=ray.state,
        idle=ray.idle,
        drain=drain_request({ADDRESS: address}, mark.node, spec.update.drain) if can_drain else None,
        reason=_why(job),
    )


def how_they_ended(members: Members, directory: str) -> dict[str, str]:
    """How the newest job of each node ended that has no other, as a sentence with its number."""
    there = {member.mark.node for member in (*members.living, *members.heirs)}
    ends: dict[str, str] = {}
    for member in members.ended:
        if member.mark.node not in there and not member.is_client:
            ends.setdefault(member.mark.node, f"{how_it_ended(member.job, directory)} (job {member.job.job_id})")
    return ends


def how_it_ended(job: Job, directory: str) -> str:
    """In words. A machine without our ``directory`` says so by the status of our script, or has Slurm say that it could
    not even begin, as what the job prints is to stand there too.
    """
    machine = job.batch_host or job.nodes or "its machine"
    if job.exit_code.status == UNSHARED:
        return f"{machine} does not have {directory}, which all machines must share"
    if job.state_reason == NOT_BEGUN:
        return f"{machine} could not start it; see whether it has {directory}, which all machines must share"
    status = job.exit_code.status
    return f"{job.standing.sentence}{f', status {status}' if status else ''}"


def _is_heir(member: Member, there: Sequence[Member]) -> bool:
    others = {each.job.job_id for each in there if each.mark.node == member.mark.node}
    return member.job.standing.state is NodeState.PENDING and bool(member.job.waits_for & others)


def _in_ray(mark: Mark, view: RayView) -> RayNode:
    """What Ray says of this very job, as far as can be told: it remembers those before it that had its name.

    A drained worker ends its job, so what is drained is on its way out, or another one.
    """
    ray = view.nodes.get(mark.node, NOT_LISTED)
    another = ray.epoch not in (0, mark.epoch) or ray.state == DRAINED
    return NOT_LISTED if another else ray


def _why(job: Job) -> str:
    stands = job.standing
    if stands.state is NodeState.RUNNING:
        return ""
    waits = stands.state is NodeState.PENDING and "PENDING" in job.job_state and bool(job.state_reason)
    return why_waiting(job.state_reason).sentence if waits else stands.sentence
