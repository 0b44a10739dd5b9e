"""The manifest that lets Ray's ports through a strict mesh, and what it needs of a specification."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from cai_deploy.config import build, parse
from cai_deploy.errors import ConfigError
from cai_deploy.mesh import EXAMPLE, MOST_WORKER_PORTS, manifest
from cai_deploy.spec import ClusterSpec


def written(spec: ClusterSpec) -> dict[str, Any]:
    return yaml.safe_load(manifest(spec, "user-1", "owner=me"))


def test_the_example_that_the_error_gives_makes_a_manifest() -> None:
    spec = parse(EXAMPLE)
    shown = written(spec)
    assert (shown["apiVersion"], shown["kind"]) == ("security.istio.io/v1", "PeerAuthentication")
    assert shown["metadata"] == {"name": "cai-deploy-ray", "namespace": "user-1"}
    assert shown["spec"]["selector"] == {"matchLabels": {"owner": "me"}}
    assert "mtls" not in shown["spec"], "everything else of the pods stays as it was"
    ports = shown["spec"]["portLevelMtls"]
    assert {6379, 10001, 8000, 8076, 8077, 8078, 8079, 8080, 8081, 8100, *range(11000, 11100)} == set(ports)
    assert {each["mode"] for each in ports.values()} == {"PERMISSIVE"}


def test_what_is_not_pinned_is_named_with_an_example() -> None:
    with pytest.raises(ConfigError) as raised:
        manifest(build({"ports": {"gcs": 6379, "node_manager": 8076}}, source="s"), "n", "a=b")
    assert "not pinned: client, serve, object_manager, dashboard_agent" in raised.value.what
    assert raised.value.what.endswith("worker_min, worker_max")
    assert EXAMPLE in raised.value.next_step


def test_a_range_that_nobody_could_read_is_refused() -> None:
    pinned = yaml.safe_load(EXAMPLE)["ports"]
    wide = {**pinned, "worker_min": 11000, "worker_max": 11000 + MOST_WORKER_PORTS}
    with pytest.raises(ConfigError, match="too many for a manifest"):
        manifest(build({"ports": wide}, source="s"), "n", "a=b")
    assert len(written(build({"ports": {**wide, "worker_max": wide["worker_max"] - 1}}, source="s"))) == 4


@pytest.mark.parametrize("label", ["", "a", "=b", "a="])
def test_a_label_is_a_name_and_a_value(label: str) -> None:
    with pytest.raises(ConfigError, match="is not a label"):
        manifest(parse(EXAMPLE), "n", label)


def test_a_worker_range_holds_no_other_port() -> None:
    with pytest.raises(ConfigError, match=r"node_manager \(11005\) lies among the worker ports 11000 to 11010"):
        build({"ports": {"node_manager": 11005, "worker_min": 11000, "worker_max": 11010}}, source="s")
