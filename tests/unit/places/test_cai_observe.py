"""Raw answers of a workspace -> our nodes."""

from __future__ import annotations

import logging

import pytest

from cai_deploy.api.schemas import Application, Project
from cai_deploy.places.cai import marks
from cai_deploy.places.cai.observe import owned, project_ground, strangers, to_node
from cai_deploy.places.cai.ray_status import latest
from cai_deploy.places.cai.states import node_state
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import GroundState, NodeState

MARK = marks.Mark("ray", "p1", "worker-0", "worker", "f1")


def application(name: str, mark: marks.Mark | None = None, status: str = "APPLICATION_RUNNING") -> Application:
    environment = {**(mark.environment() if mark else {}), "CML_USER_PW": "s3cret"}
    return Application(id=f"id-{name}", name=name, status=status, environment=environment)


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
    assert list(owned([ours, *others], "ray", "p1")) == ["worker-0"]


def test_a_name_that_we_need_and_somebody_else_has_is_a_stranger() -> None:
    spec = ClusterSpec().scaled(2)
    ours = application("ray-worker-0", MARK)
    theirs = application("ray-worker-1")
    found = owned([ours, theirs], "ray", "p1")
    assert strangers([ours, theirs], spec, found) == {"worker-1"}


def test_what_ray_says_counts_only_while_the_application_runs() -> None:
    ray_nodes = {"worker-0": ("ALIVE", "10.0.0.3")}
    assert to_node(application("a", MARK), MARK, ray_nodes).ready
    stopping = to_node(application("a", MARK, "APPLICATION_STOPPING"), MARK, ray_nodes)
    assert (stopping.ready, stopping.ray_state, stopping.address) == (False, "", "")


def test_of_a_restarted_node_the_living_entry_counts_in_either_order() -> None:
    dead = {"name": "worker-0", "state": "DEAD", "address": "10.0.0.3"}
    alive = {"name": "worker-0", "state": "ALIVE", "address": "10.0.0.9"}
    assert latest([dead, alive]) == latest([alive, dead]) == {"worker-0": ("ALIVE", "10.0.0.9")}


def test_secrets_of_the_platform_are_not_shown() -> None:
    assert "s3cret" not in repr(application("a", MARK))
