"""What Docker says of a container, as the state of a node."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cai_deploy.places.compose import marks
from cai_deploy.places.compose.answers import Container, read_containers, version_of
from cai_deploy.places.compose.errors import UnreadableAnswer
from cai_deploy.places.compose.observe import to_node
from cai_deploy.places.ray_status import RayNode, RayView
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import NodeState
from tests.unit.places.compose.fake_docker import FakeDocker

OWNER = "0" * 16
MARK = marks.Mark("ray", OWNER, "worker", "f", 2)
RUNNING = Container("a" * 64, "ray-000000-worker-2", MARK, "running", started=1000.5)


@pytest.mark.parametrize(
    ("container", "state", "reason"),
    [
        (RUNNING, NodeState.RUNNING, ""),
        (replace(RUNNING, health="unhealthy"), NodeState.RUNNING, "its health check fails"),
        (replace(RUNNING, status="created"), NodeState.STARTING, ""),
        (replace(RUNNING, status="created", error="port taken"), NodeState.FAILED, "port taken"),
        (replace(RUNNING, status="paused"), NodeState.STOPPED, "it is paused"),
        (replace(RUNNING, status="exited"), NodeState.STOPPED, "it ended with status 0"),
        (replace(RUNNING, status="exited", exit_code=1), NodeState.FAILED, "it ended with status 1"),
        (replace(RUNNING, status="exited", out_of_memory=True), NodeState.FAILED, "its memory was used up"),
        (
            replace(RUNNING, status="restarting", exit_code=1, restarts=2),
            NodeState.STARTING,
            "it ended with status 1, and was started again 2 times",
        ),
        (
            replace(RUNNING, status="restarting", exit_code=1, restarts=9),
            NodeState.FAILED,
            "it ended with status 1, and was started again 9 times",
        ),
        (replace(RUNNING, status="removing"), NodeState.STOPPING, ""),
        (replace(RUNNING, status="dead"), NodeState.FAILED, ""),
        (replace(RUNNING, status="pondering"), NodeState.UNKNOWN, ""),
    ],
)
def test_states(container: Container, state: NodeState, reason: str) -> None:
    assert (container.state, container.reason) == (state, reason)


def test_a_container_is_read_with_its_mark() -> None:
    docker = FakeDocker()
    docker.add("worker", 2, owner=OWNER)
    (found,) = read_containers(json.dumps(docker.containers))
    assert (found.mark.node, found.name, found.status) == ("worker-1", "ray-000000-worker-2", "running")
    assert found.started == 1795272940.0


def test_what_is_not_of_our_project_is_not_ours() -> None:
    docker = FakeDocker()
    docker.add("worker", 1, owner=OWNER)
    docker.containers[0]["Config"]["Labels"][marks.PROJECT] = "other"
    docker.add("head", 1, owner=OWNER)
    docker.containers[1]["Config"]["Labels"] = None
    assert read_containers(json.dumps(docker.containers)) == ()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"Id": "a"}]'])
def test_what_is_no_answer_is_said_to_be_none(text: str) -> None:
    if text == "{}":
        assert read_containers(text) == ()
        return
    with pytest.raises(UnreadableAnswer):
        read_containers(text)


@pytest.mark.parametrize(
    ("epoch", "state"), [(999, ""), (1000, "ALIVE"), (1004, "ALIVE")], ids=["before", "at once", "since"]
)
def test_what_ray_remembers_of_an_earlier_start_does_not_count(epoch: int, state: str) -> None:
    view = RayView({"worker-1": RayNode("ALIVE", "172.18.0.3", epoch=epoch)}, agent=True)
    node = to_node(RUNNING, view, ClusterSpec(place="compose"), "127.0.0.1:8265")
    assert (node.name, node.native_id, node.ray_state) == ("worker-1", "a" * 12, state)
    assert node.drain is not None


@pytest.mark.parametrize(
    ("text", "version"),
    [("20.10.24+dfsg1", (20, 10, 24)), ("v2.39.1-desktop.1", (2, 39, 1)), ("5.6.1", (5, 6, 1)), ("dev", ())],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert version_of(text) == version
