"""Everything that was written is gathered: Ray's own logs too, and that a node has written nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cai_deploy import layout
from cai_deploy.api.client import Client
from cai_deploy.api.errors import ApiError
from cai_deploy.api.schemas import Project
from cai_deploy.diagnosis import diagnose
from cai_deploy.places.cai.evidence import gather
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.state import Node, NodeState
from tests.unit.places.fake_files import FakeFiles

NO_JOBS = SimpleNamespace(list=lambda project_id: [])


def node(name: str, state: NodeState = NodeState.RUNNING) -> Node:
    return Node(name, "worker", "worker", state, f"id-{name}", "f1")


def gathered(files: FakeFiles, *nodes: Node) -> dict[str, str]:
    client = cast(Client, SimpleNamespace(files=files, jobs=NO_JOBS))
    seen = CaiObservation(project=Project(id="p1"), nodes=nodes)
    return {exhibit.source: exhibit.text for exhibit in gather(client, seen, "ray")}


def test_rays_own_logs_are_read_where_there_are_any() -> None:
    files = FakeFiles()
    files.texts = {
        layout.node_log_file("ray", "worker-0"): "joining the head",
        layout.ray_log_file("ray", "worker-0"): "--- raylet.out\nstarted",
        layout.ended_ray_log_file("ray", "worker-0"): "--- raylet.out\nAddress already in use",
        layout.node_log_file("ray", "worker-1"): "joining the head",
    }
    found = gathered(files, node("worker-0"), node("worker-1"))
    assert found["Ray's logs of worker-0"] == "--- raylet.out\nstarted"
    assert found["Ray's logs of worker-0, before it ended"].endswith("in use")
    assert not [source for source in found if "Ray's logs of worker-1" in source]
    asked = [call for call in files.calls if "worker-1.ray" in call]
    assert asked == [], "what is not there is not asked for"


@pytest.mark.parametrize(
    ("state", "waits"),
    [(NodeState.STARTING, True), (NodeState.PENDING, True), (NodeState.RUNNING, False), (NodeState.FAILED, False)],
)
def test_a_node_that_has_written_nothing_waits_for_its_pod(state: NodeState, waits: bool) -> None:
    files = FakeFiles()
    files.texts = {layout.node_log_file("ray", "worker-0"): "joining the head"}
    found = gathered(files, node("worker-0", NodeState.STARTING), node("worker-1", state))
    assert ("nodes without a log" in found) is waits
    assert "worker-0" not in found.get("nodes without a log", "")


def test_what_it_waits_for_is_a_known_sign() -> None:
    client = cast(Client, SimpleNamespace(files=FakeFiles(), jobs=NO_JOBS))
    seen = CaiObservation(project=Project(id="p1"), nodes=(node("worker-1", NodeState.STARTING),))
    (finding,) = diagnose(gather(client, seen, "ray"))
    assert finding.cause.startswith("no quota")


def test_one_log_that_cannot_be_read_does_not_keep_the_others_from_being_read() -> None:
    class Spoilt(FakeFiles):
        def read_text(self, project_id: str, path: str) -> str | None:
            if path == layout.ray_log_file("ray", "worker-0"):
                raise ApiError(500, "away", method="POST", path=path)
            return super().read_text(project_id, path)

    files: Any = Spoilt()
    files.texts = {layout.ray_log_file("ray", "worker-0"): "x", layout.ended_ray_log_file("ray", "worker-0"): "y"}
    found = gathered(files, node("worker-0"))
    assert found["Ray's logs of worker-0"].startswith("(could not be read:")
    assert found["Ray's logs of worker-0, before it ended"] == "y"
