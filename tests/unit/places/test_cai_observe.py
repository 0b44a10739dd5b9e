"""Raw answers of a workspace -> our nodes."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from cai_deploy.api.schemas import Application, Project
from cai_deploy.places.cai import marks, names
from cai_deploy.places.cai.members import Member, owned, strangers, to_node
from cai_deploy.places.cai.observe import project_ground
from cai_deploy.places.cai.states import node_state
from cai_deploy.places.ray_status import RayNode, RayView, latest
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import GroundState, NodeState

MARK = marks.Mark("ray", "p1", "worker-0", "worker", "f1")


def application(name: str, mark: marks.Mark | None = None, status: str = "APPLICATION_RUNNING") -> Application:
    environment = {**(mark.environment() if mark else {}), "CML_USER_PW": "s3cret"}
    subdomain = names.subdomain(mark.cluster, mark.node, mark.owner) if mark else name
    return Application(id=f"id-{name}", name=name, subdomain=subdomain, status=status, environment=environment)


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        ("APPLICATION_STARTING", NodeState.STARTING),
        ("APPLICATION_RUNNING", NodeState.RUNNING),
        ("APPLICATION_STOPPING", NodeState.STOPPING),
        ("APPLICATION_STOPPED", NodeState.STOPPED),
        ("APPLICATION_FAILED", NodeState.FAILED),
        ("APPLICATION_UNKNOWN", NodeState.UNKNOWN),
        ("APPLICATION_HIBERNATING", NodeState.UNKNOWN),
        ("", NodeState.UNKNOWN),
    ],
)
def test_the_table_of_states(raw: str, state: NodeState) -> None:
    assert node_state(raw) is state


def test_an_unknown_word_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        node_state("APPLICATION_DREAMING")
        node_state("APPLICATION_DREAMING")
    assert [record.args for record in caplog.records] == [("APPLICATION_DREAMING",)]


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        ("creating", GroundState.IN_PROGRESS),
        ("success", GroundState.READY),
        ("failure", GroundState.FAILED),
        ("", GroundState.READY),
        ("unheard-of", GroundState.IN_PROGRESS),
    ],
)
def test_the_table_of_project_states(raw: str, state: GroundState) -> None:
    assert project_ground(ClusterSpec(), Project(id="p1", creation_status=raw)).state is state


def test_only_what_carries_our_whole_mark_is_ours() -> None:
    ours = application("ray-worker-0", MARK)
    others = [
        application("ray-worker-1"),
        application("other", marks.Mark("other", "p1", "worker-0", "worker", "f1")),
        application("copied from another project", marks.Mark("ray", "p2", "worker-0", "worker", "f1")),
    ]
    assert [member.application for member in owned([ours, *others], "ray", "p1")] == [ours]


def test_a_copy_of_ours_is_not_ours_as_it_has_another_subdomain() -> None:
    ours = application("ray-worker-0", MARK)
    copy = ours.model_copy(update={"id": "copy", "name": "my-own", "subdomain": "my-own"})
    assert [member.application for member in owned([copy, ours], "ray", "p1")] == [ours]


def test_of_two_with_one_mark_the_older_comes_first() -> None:
    older = application("ray-worker-0", MARK).model_copy(update={"created_at": "2026-01-01T00:00:00Z"})
    newer = older.model_copy(update={"id": "0", "created_at": "2026-01-02T00:00:00Z"})
    assert [member.application for member in owned([newer, older], "ray", "p1")] == [older, newer]


def test_an_epoch_that_is_none_counts_as_the_lowest() -> None:
    unclaimed = application("ray-worker-0", MARK)
    assert [member.mark.epoch for member in owned([unclaimed], "ray", "p1")] == [0]
    claimed = application("ray-worker-0", replace(MARK, epoch=7))
    assert [member.mark.epoch for member in owned([claimed], "ray", "p1")] == [7]


def test_a_name_that_we_need_and_somebody_else_has_is_a_stranger() -> None:
    ours = application("ray-worker-0", MARK)
    theirs = application("ray-worker-1")
    found = owned([ours, theirs], "ray", "p1")
    assert strangers([ours, theirs], "ray", found) == {"worker-1"}


def test_what_ray_says_counts_only_while_the_application_runs() -> None:
    view = RayView({"worker-0": RayNode("ALIVE", "10.0.0.3")})
    assert to_node(Member(application("a", MARK), MARK), view, ClusterSpec()).ready
    stopping = to_node(Member(application("a", MARK, "APPLICATION_STOPPING"), MARK), view, ClusterSpec())
    assert (stopping.ready, stopping.ray_state, stopping.address) == (False, "", "")


def test_of_a_restarted_node_the_living_entry_counts_in_either_order() -> None:
    dead = {"name": "worker-0", "state": "DEAD", "address": "10.0.0.3"}
    alive = {"name": "worker-0", "state": "ALIVE", "address": "10.0.0.9"}
    assert latest([dead, alive]) == latest([alive, dead]) == {"worker-0": RayNode("ALIVE", "10.0.0.9")}
    started_since = {**alive, "address": "10.0.0.11"}
    assert latest([alive, started_since]) == {"worker-0": RayNode("ALIVE", "10.0.0.11")}


@pytest.mark.parametrize(
    ("label", "stale"),
    [
        ({"cai-deploy/epoch": "7"}, False),
        ({"cai-deploy/epoch": "6"}, True),
        ({"cai-deploy/epoch": "0"}, False),
        ({}, False),
    ],
)
def test_a_node_that_was_started_under_another_epoch_than_its_application_has_is_stale(
    label: dict[str, str], stale: bool
) -> None:
    mark = replace(MARK, epoch=7)
    view = RayView(latest([{"name": "worker-0", "state": "ALIVE", "labels": label}]))
    assert to_node(Member(application("a", mark), mark), view, ClusterSpec()).stale is stale


def test_of_a_node_that_was_started_since_what_ray_lists_is_the_one_before() -> None:
    epoch = int(datetime(2026, 11, 21, 8, 50, 40, tzinfo=timezone.utc).timestamp())
    mark = replace(MARK, epoch=epoch)
    entries = [{"name": "worker-0", "state": "ALIVE", "labels": {"cai-deploy/epoch": str(epoch - 60)}}]
    for started, stale, ray_state in (
        ("2026-11-21T08:50:39.9Z", True, "ALIVE"),
        ("2026-11-21T08:50:40.1Z", False, ""),
        ("", True, "ALIVE"),
    ):
        seen = application("a", mark).model_copy(update={"starting_at": started, "running_at": ""})
        node = to_node(Member(seen, mark), RayView(latest(entries)), ClusterSpec())
        assert (node.stale, node.ray_state) == (stale, ray_state), started


def test_a_node_that_is_gone_says_nothing_of_the_next() -> None:
    view = RayView(latest([{"name": "worker-0", "state": "DEAD", "labels": {"cai-deploy/epoch": "6"}}]))
    mark = replace(MARK, epoch=7)
    assert not to_node(Member(application("a", mark), mark), view, ClusterSpec()).stale


def test_secrets_of_the_platform_are_not_shown() -> None:
    assert "s3cret" not in repr(application("a", MARK))


def test_a_node_can_be_drained_where_an_agent_answers_and_only_a_worker() -> None:
    head_mark = marks.Mark("ray", "p1", "head", "head", "f1")
    worker, head = Member(application("a", MARK), MARK), Member(application("b", head_mark), head_mark)
    agent = RayView(agent=True)
    drain = to_node(worker, agent, ClusterSpec()).drain
    assert drain is not None
    assert drain["subdomain"] == names.subdomain("ray", "head", "p1")
    assert drain["body"]["deadline_seconds"] == 60
    assert to_node(head, agent, ClusterSpec()).drain is None
    assert to_node(worker, RayView(), ClusterSpec()).drain is None
    never = ClusterSpec.model_validate({"update": {"drain": 0}})
    assert to_node(worker, agent, never).drain is None
