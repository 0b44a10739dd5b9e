"""Jobs -> nodes: which count, what they are, and how those ended that are gone."""

from __future__ import annotations

from typing import Any

import pytest

from cai_deploy.places.ray_status import RayNode, RayView
from cai_deploy.places.slurm.answers import Job
from cai_deploy.places.slurm.marks import Mark
from cai_deploy.places.slurm.members import how_they_ended, sort_out, to_node
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Node, NodeState

OWNER = "0" * 16
DIRECTORY = "/shared/ray"
NOW = 1_000_000_000.0


def job(number: int, node: str = "worker-0", state: str = "RUNNING", epoch: int = 7, **more: Any) -> tuple[Mark, Job]:
    group = "head" if node == "head" else node.rpartition("-")[0]
    mark = Mark("ray", OWNER, node, group, "f" * 16, epoch)
    return mark, Job.model_validate({"job_id": number, "name": mark.job_name, "job_state": state, **more})


def node(one: tuple[Mark, Job], ray: RayNode | None = None, spec: ClusterSpec | None = None) -> Node:
    (member,) = sort_out([one]).living
    view = RayView({member.mark.node: ray} if ray else {}, agent=True)
    return to_node(member, view, spec or ClusterSpec(), "192.0.2.1:18059", NOW)


def living(*jobs: tuple[Mark, Job]) -> list[int]:
    return [member.job.job_id for member in sort_out(jobs).living]


def test_only_a_job_that_has_not_ended_is_a_node() -> None:
    states = ["COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "RUNNING", "PENDING"]
    assert living(*(job(number, state=state) for number, state in enumerate(states))) == [7, 6]


def test_one_that_is_ending_is_still_a_node() -> None:
    assert node(job(1, state="COMPLETING")).state is NodeState.STOPPING


@pytest.mark.parametrize("reason", ["None", "Dependency", "Priority"])
def test_an_heir_is_no_node_while_the_one_before_it_lives(reason: str) -> None:
    """Slurm tells the dependency at once, and only later that this is what the job waits for."""
    heir = job(2, state="PENDING", state_reason=reason, dependency="afterany:1(unfulfilled)")
    members = sort_out([job(1), heir])
    assert [member.job.job_id for member in members.living] == [1]
    assert members.heirs_of(1) == [2]
    assert members.heirs_of(2) == []


def test_an_heir_is_the_node_once_the_one_before_it_has_ended() -> None:
    heir = job(2, state="PENDING", state_reason="Dependency", dependency="afterany:1(unfulfilled)")
    assert living(job(1, state="COMPLETED"), heir) == [2]


def test_a_job_that_waits_for_one_of_another_node_is_a_node() -> None:
    waits = job(2, "worker-1", state="PENDING", dependency="afterany:1(unfulfilled)")
    assert living(job(1, "worker-0"), waits) == [2, 1]


def test_two_of_one_name_are_both_there_the_newest_first() -> None:
    assert living(job(1), job(2)) == [2, 1]


def test_why_a_node_waits() -> None:
    waiting = node(job(1, state="PENDING", state_reason="Resources"))
    assert (waiting.state, waiting.reason) == (NodeState.PENDING, "what it asks for is in use")
    assert node(job(1)).reason == ""


def test_what_waiting_does_not_help_has_failed() -> None:
    failed = node(job(1, state="PENDING", state_reason="PartitionTimeLimit"))
    assert failed.state is NodeState.FAILED
    assert "over the partition's limit" in failed.reason


def test_what_ray_says_of_it() -> None:
    ready = node(job(12), RayNode("ALIVE", "192.0.2.2", idle=True, epoch=7))
    assert (ready.native_id, ready.ready, ready.address, ready.idle) == ("12", True, "192.0.2.2", True)
    assert ready.drain
    assert ready.drain["address"] == "192.0.2.1:18059"
    assert not node(job(1), spec=ClusterSpec.model_validate({"update": {"drain": 0}})).drain
    assert not node(job(1, "head"), RayNode("ALIVE", "192.0.2.1")).drain


def test_what_slurm_says_of_a_job_that_it_has_just_taken_is_a_guess() -> None:
    new = node(job(1, state="PENDING", state_reason="PartitionConfig", submit_time=int(NOW) - 1))
    assert new.state is NodeState.PENDING
    old = node(job(1, state="PENDING", state_reason="PartitionConfig", submit_time=int(NOW) - 60))
    assert old.state is NodeState.FAILED


@pytest.mark.parametrize(
    ("state", "ray"),
    [
        ("RUNNING", RayNode("ALIVE", "192.0.2.2", epoch=6)),  # the one before it, which Ray does not know to be gone
        ("RUNNING", RayNode("DRAINED", "192.0.2.2", epoch=7)),  # a drained worker ends its job
        ("PENDING", RayNode("ALIVE", "192.0.2.2", epoch=7)),
    ],
)
def test_what_ray_says_of_another(state: str, ray: RayNode) -> None:
    assert node(job(1, state=state), ray).ray_state == ""


def test_how_those_ended_that_are_gone() -> None:
    jobs = [
        job(17, "worker-0", "TIMEOUT"),
        job(16, "worker-0", "FAILED"),
        job(18, "worker-1", "FAILED", exit_code=256),
        job(19, "worker-2", "FAILED", exit_code=78 << 8, batch_host="n3"),
        job(23, "worker-4", "FAILED", exit_code=4021, state_reason="JobLaunchFailure", batch_host="n4"),
        job(20, "worker-3", "CANCELLED"),
        job(21, "worker-3"),
        job(22, "client-0", "FAILED"),
    ]
    assert how_they_ended(sort_out(jobs), DIRECTORY) == {
        "worker-0": "its time limit ended it (job 17)",
        "worker-1": "it ended with an error, status 1 (job 18)",
        "worker-2": "n3 does not have /shared/ray, which all machines must share (job 19)",
        "worker-4": "n4 could not start it; see whether it has /shared/ray, which all machines must share (job 23)",
    }
