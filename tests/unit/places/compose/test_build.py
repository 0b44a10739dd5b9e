"""A specification -> the containers of its nodes, and what must stand before them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.places.compose.build import build
from cai_deploy.places.compose.observation import ComposeObservation
from cai_deploy.places.compose.plans import Where
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Node, NodeState, Wanted, WantedNode

SEEN = ComposeObservation(requirements="ray[default]==2.60.0\n")
WHERE = Where("/home/you/project", "0123456789abcdef", "")


def spec(**more: Any) -> ClusterSpec:
    return ClusterSpec.model_validate({"place": "compose", **more})


def wanted(seen: ComposeObservation = SEEN, **more: Any) -> Wanted:
    return build(spec(**more), seen, WHERE)


def nodes(**more: Any) -> dict[str, WantedNode]:
    return {node.name: node for node in wanted(**more).nodes}


def there(*names: str) -> ComposeObservation:
    found = [Node(name, "worker", "worker", NodeState.RUNNING, name, "f", ray_state="ALIVE") for name in names]
    return replace(SEEN, nodes=tuple(found))


def test_groundwork_in_the_order_in_which_it_is_needed() -> None:
    assert [ground.kind for ground in wanted().ground] == [
        *("code", "launcher", "launcher", "launcher", "image file", "image file"),
        *("compose file", "image", "specification"),
    ]
    assert [ground.kind for ground in wanted().records] == ["record"]


def test_the_request_is_the_command() -> None:
    request = nodes(workers=[{"replicas": 2}])["worker-1"].create
    assert request["compose"] == [
        *("--project-name", f"ray-{WHERE.owner[:6]}"),
        *("--file", "/home/you/project/.cai-deploy/clusters/ray/compose.yaml"),
        *("up", "--detach", "--no-deps", "--no-recreate", "--no-build", "--scale", "worker=2", "worker"),
    ]


def test_scaling_changes_nobodys_fingerprint_and_a_label_does() -> None:
    one, three = nodes(workers=[{"replicas": 1}]), nodes(workers=[{"replicas": 3}])
    assert {three[name].fingerprint for name in ("worker-0", "worker-1", "worker-2")} == {one["worker-0"].fingerprint}
    labelled = nodes(workers=[{"labels": {"tier": "b"}}])
    assert labelled["worker-0"].fingerprint != one["worker-0"].fingerprint
    assert labelled["head"].fingerprint == one["head"].fingerprint
    published = nodes(workers=[{"replicas": 1}], compose={"publish": "0.0.0.0"})  # noqa: S104
    assert published["worker-0"].fingerprint == one["worker-0"].fingerprint
    assert published["head"].fingerprint != one["head"].fingerprint


@pytest.mark.parametrize(
    ("present", "replicas", "names"),
    [
        ((), 2, ["worker-0", "worker-1"]),
        (("worker-0",), 2, ["worker-0", "worker-1"]),
        (("worker-1",), 2, ["worker-1", "worker-2"]),
        (("worker-2", "worker-5"), 4, ["worker-2", "worker-5", "worker-6", "worker-7"]),
        (("worker-0", "worker-1"), 1, ["worker-0"]),
    ],
)
def test_new_ones_are_called_as_compose_will_count_them(
    present: tuple[str, ...], replicas: int, names: list[str]
) -> None:
    found = wanted(there(*present), workers=[{"replicas": replicas}]).nodes
    assert sorted(node.name for node in found if node.role == "worker") == names


def test_what_cannot_run_is_refused_before_anything_is_made() -> None:
    with pytest.raises(ConfigError, match=r"does not pin ray==2\.59\.0"):
        wanted(ray_version="2.59.0")
    with pytest.raises(ConfigError, match="is not in /home/you/project"):
        wanted(replace(SEEN, missing_scripts=frozenset({"mine.py"})))
    with pytest.raises(ConfigError, match="was not written by cai_deploy"):
        wanted(replace(SEEN, strange_files=frozenset({"ray_head_launcher.py"})))
    with pytest.raises(ConfigError, match="is not in the image"):
        wanted(environment={"pinned": {"head": "ray-0123456789ab"}})


def test_an_image_that_is_given_needs_no_lock_file() -> None:
    assert wanted(replace(SEEN, requirements=None), compose={"image": "nodes:1"}).nodes
