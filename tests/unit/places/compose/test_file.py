"""What Compose is handed: the text, and what it means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cai_deploy.places.compose.build import Draft, draft
from cai_deploy.places.compose.observation import ComposeObservation
from cai_deploy.places.compose.plans import Where
from cai_deploy.spec import ClusterSpec

GOLDEN = Path(__file__).parent / "golden"
LOCK = "ray[default]==2.60.0\n"
WHERE = Where("/home/you/project", "0123456789abcdef", "1000:1000")


def drafted(where: Where = WHERE, **more: Any) -> Draft:
    spec = ClusterSpec.model_validate({"place": "compose", "python": "3.11", **more})
    return draft(spec, ComposeObservation(requirements=LOCK), where)


def services(where: Where = WHERE, **more: Any) -> dict[str, Any]:
    found = yaml.safe_load(drafted(where, **more).compose_text)["services"]
    assert isinstance(found, dict)
    return found


def test_the_whole_file() -> None:
    workers = [{"name": "worker", "replicas": 2}, {"name": "gpu", "replicas": 1, "gpu": 1, "env": {"A": "b$c"}}]
    text = drafted(workers=workers).compose_text
    text = re.sub(r"(fingerprint: |ENVIRONMENT: image-|cai-deploy/nodes:)\S+", r"\1DIGEST", text)
    assert text == (GOLDEN / "compose.yaml.txt").read_text(encoding="utf-8")


def test_the_dockerfile() -> None:
    files = drafted().files()
    assert files[".cai-deploy/clusters/ray/image/Dockerfile"] == (GOLDEN / "Dockerfile.txt").read_text(encoding="utf-8")
    assert files[".cai-deploy/clusters/ray/image/requirements.txt"] == LOCK


def test_what_all_nodes_have_stands_once() -> None:
    text = drafted(workers=[{"name": "a"}, {"name": "b"}]).compose_text
    assert text.count("restart: unless-stopped") == text.count("healthcheck:") == 1
    for service in services(workers=[{"name": "a"}, {"name": "b"}]).values():
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["environment"]["CAI_DEPLOY_PLACE"] == "compose"
        assert service["labels"]["cai-deploy.cluster"] == "ray"


def test_a_service_for_each_group_with_its_shape_and_number() -> None:
    found = services(workers=[{"name": "small", "replicas": 3, "cpu": 1.5, "memory_gb": 2}])
    assert list(found) == ["head", "small", "remote-worker"]
    small = found["small"]
    assert (small["scale"], small["cpus"], small["mem_limit"]) == (3, 1.5, "2048m")
    assert int(small["shm_size"].rstrip("m")) * 1024**2 > 2 * 1024**3 * 0.3
    assert "scale" not in found["head"]


def test_a_gpu_is_asked_for() -> None:
    devices = services(workers=[{"gpu": 2}])["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 2, "capabilities": ["gpu"]}]


def test_dashboard_and_client_are_open_to_this_machine_alone_unless_asked() -> None:
    assert services()["head"]["ports"] == ["127.0.0.1:8265:8100", "127.0.0.1:10001:10001"]
    open_to_all = services(compose={"publish": "0.0.0.0"}, ports={"client": 12000})["head"]["ports"]  # noqa: S104
    assert open_to_all == ["0.0.0.0:8265:8100", "0.0.0.0:12000:12000"]
    assert services(compose={"publish": "::1"})["head"]["ports"][0] == "[::1]:8265:8100"
    assert "ports" not in services()["worker"]


def test_a_remote_worker_has_its_hosts_network_and_known_ports() -> None:
    remote = services(ports={"gcs": 6380})["remote-worker"]
    assert (remote["network_mode"], remote["profiles"]) == ("host", ["remote-worker"])
    assert remote["environment"]["RAY_HEAD_ADDRESS"] == "${HEAD_IP:-127.0.0.1}:6380"
    assert remote["environment"]["CAI_DEPLOY_ADDRESS"] == "${NODE_IP:-}"
    plan = drafted().remote
    assert plan
    ports = {name: plan.settings.ports[name] for name in ("object_manager", "node_manager", "worker_min", "worker_max")}
    assert ports == {"object_manager": 8076, "node_manager": 8077, "worker_min": 11000, "worker_max": 11020}
    pinned = drafted(ports={"node_manager": 9001}).remote
    assert pinned
    assert pinned.settings.ports["node_manager"] == 9001


def test_a_head_with_an_address_is_on_its_hosts_network() -> None:
    found = services(compose={"address": "10.0.0.1"})
    assert found["head"]["network_mode"] == "host"
    assert "ports" not in found["head"]
    assert found["head"]["environment"]["CAI_DEPLOY_ADDRESS"] == "10.0.0.1"
    head, worker = drafted(compose={"address": "10.0.0.1"}).plans
    assert head.settings.ports["object_manager"] == 8076
    assert "object_manager" not in worker.settings.ports


def test_a_worker_for_another_hosts_head() -> None:
    request = drafted().guest("10.0.0.1", "10.0.0.2")
    assert request["variables"] == {
        "HEAD_IP": "10.0.0.1",
        "NODE_IP": "10.0.0.2",
        "NODE_NAME": "remote-worker-10-0-0-2",
    }
    profile = ["--profile", "remote-worker"]
    assert request["compose"][4:] == [*profile, "up", "--detach", "--no-deps", "--no-build", "remote-worker"]


def test_a_dollar_of_a_persons_is_no_variable() -> None:
    assert services(head={"env": {"PRICE": "5$ and ${HOME}"}})["head"]["environment"]["PRICE"] == "5$$ and $${HOME}"


@pytest.mark.parametrize(("user", "home"), [("", None), ("1000:1000", "/tmp")])
def test_files_are_those_of_who_launches(user: str, home: str | None) -> None:
    head = services(Where("/p", "0", user))["head"]
    assert head.get("user", "") == user
    assert head["environment"].get("HOME") == home


def test_an_image_that_is_given_is_not_built() -> None:
    given = drafted(compose={"image": "nodes:1"})
    assert "build" not in yaml.safe_load(given.compose_text)["services"]["head"]
    assert [ground.request for ground in given.ground() if ground.kind == "image"] == [
        {"pull": "nodes:1", "seconds": 1800}
    ]


def test_more_volumes_and_keys_are_taken_up() -> None:
    head = services(compose={"volumes": ["/data:/data:ro"], "extra": {"dns": "10.0.0.2"}})["head"]
    assert head["volumes"] == ["/home/you/project:/home/you/project", "/data:/data:ro"]
    assert head["dns"] == "10.0.0.2"
