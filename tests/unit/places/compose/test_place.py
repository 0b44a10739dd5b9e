"""The place as a whole, with a directory of its own and a Docker that does as a test wants."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import shell
from cai_deploy.cli import doctor_compose
from cai_deploy.cli.output import shown_request
from cai_deploy.deploy import preview
from cai_deploy.places.base import NotPossibleHere
from cai_deploy.places.compose.engine import Engine
from cai_deploy.places.compose.errors import NoHeadThere
from cai_deploy.places.compose.marks import owner_of
from cai_deploy.places.compose.place import ComposePlace
from cai_deploy.spec import ClusterSpec
from tests.free_ports import free_ports
from tests.unit.places.compose.fake_docker import FakeDocker


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    fake = FakeDocker()
    fake.images = {"nodes:1"}
    monkeypatch.setattr(shell, "run", fake.run)
    return fake


@pytest.fixture
def place(tmp_path: Path, docker: FakeDocker) -> ComposePlace:
    return ComposePlace(tmp_path, say=pytest.fail, engine=Engine({}))


def spec(**more: Any) -> ClusterSpec:
    return ClusterSpec.model_validate({"place": "compose", "compose": {"image": "nodes:1"}, **more})


def test_a_plan_shows_the_requests_without_what_is_secret(place: ComposePlace) -> None:
    wanted = spec(workers=[{"env": {"API_KEY": "hush-hush", "COLOUR": "red"}}])
    steps = {step.name: step for step in preview(place, wanted).plan.steps}
    shown = shown_request(steps["worker-0"])
    assert shown
    assert shown["environment"]["COLOUR"] == "red"
    told = str([shown_request(step) for step in steps.values()])
    assert "hush-hush" not in told
    assert "--scale" in told


def test_an_image_that_is_here_is_not_asked_for(place: ComposePlace, docker: FakeDocker) -> None:
    assert "image" not in {step.kind for step in preview(place, spec()).plan.steps}
    docker.images = set()
    assert "image" in {step.kind for step in preview(place, spec()).plan.steps}


def test_a_restart_is_of_nodes_that_are_there_the_head_first(
    place: ComposePlace, docker: FakeDocker, tmp_path: Path
) -> None:
    owner = owner_of(str(tmp_path))
    worker, head = docker.add("worker", 1, owner=owner), docker.add("head", 1, owner=owner)
    with pytest.raises(NotPossibleHere, match="has no node worker-7"):
        place.restart(spec(), ["worker-7"])
    assert place.restart(spec(), []) == ["head", "worker-0"]
    restarted = [said.split()[-1] for said in docker.said if said.startswith("docker restart")]
    assert [head.startswith(restarted[0]), worker.startswith(restarted[1])] == [True, True]


def test_a_worker_for_another_head_has_the_token_for_itself(
    place: ComposePlace, docker: FakeDocker, tmp_path: Path
) -> None:
    with pytest.raises(NoHeadThere, match=r"no head is reached at 127\.0\.0\.1:\d+"):
        place.up_worker(spec(ports={"gcs": free_ports(1)[0]}), "127.0.0.1", "10.0.0.2", "opens-it")
    with socket.create_server(("127.0.0.1", 0)) as head:
        there = spec(ports={"gcs": head.getsockname()[1]})
        assert place.up_worker(there, "127.0.0.1", "10.0.0.2", "opens-it") == ("remote-worker-10-0-0-2", False)
    token = tmp_path / ".cai-deploy/clusters/ray/token"
    assert token.read_text() == "opens-it"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / ".cai-deploy/clusters/ray/compose.yaml").stat().st_mode) == 0o600
    up = "--profile remote-worker up --detach --no-deps --no-build remote-worker"
    assert len([said for said in docker.said if said.endswith(up)]) == 1
    assert docker.variables["HEAD_IP"] == "127.0.0.1"
    assert docker.variables["NODE_IP"] == "10.0.0.2"
    assert "opens-it" not in " ".join(docker.said)
    with pytest.raises(NotPossibleHere, match="speaks TLS"):
        place.up_worker(spec(tls=True), "10.0.0.1", "10.0.0.2", "")


def test_a_worker_for_another_head_is_no_part_of_a_plan_and_goes_with_down(
    place: ComposePlace, docker: FakeDocker, tmp_path: Path
) -> None:
    docker.add("remote-worker", 1, owner=owner_of(str(tmp_path)))
    assert place.observe_cluster(spec()).nodes == ()
    assert [node.group for node in place.observe_leaving(spec()).nodes] == ["remote-worker"]


def test_what_goes_with_the_last_node(place: ComposePlace, docker: FakeDocker, tmp_path: Path) -> None:
    for ground in place.drafted(spec()).files():
        (tmp_path / ground).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ground).write_text("x")
    (tmp_path / "ray_head_launcher.py").write_text("# mine")
    place.observe_leaving(spec())
    place.forget(spec())
    assert any(said.endswith("down --volumes --remove-orphans") for said in docker.said)
    assert not (tmp_path / ".cai-deploy/clusters/ray").exists()
    assert (tmp_path / "ray_head_launcher.py").exists(), "what somebody else wrote stays"


def test_doctor(docker: FakeDocker, tmp_path: Path) -> None:
    checks = {check.name: check for check in doctor_compose.look_at(spec(), tmp_path, Engine({}))}
    assert checks["docker"].found == "engine 28.2.2 answers, Compose v2.39.1"
    assert checks["image"].found == "nodes:1 is here"
    assert checks["directory"].ok
    docker.fails = {"docker": 127}
    failed = [check for check in doctor_compose.look_at(spec(), tmp_path / "nowhere", Engine({})) if not check.ok]
    assert [check.name for check in failed] == ["directory", "docker"]


ROOTLESS = '["name=seccomp,profile=builtin","name=rootless"]\t{driver}\t{cpus}\t{memory}\n'


@pytest.mark.parametrize(
    ("driver", "cpus", "memory", "status", "found"),
    [
        ("systemd", "true", "true", "", ""),
        ("none", "false", "false", "warn", "holds no container to its `cpu` and `memory_gb`"),
        ("systemd", "false", "true", "failed", "starts no container that has `cpu`"),
    ],
)
def test_what_a_rootless_engine_lacks_is_told_beforehand(
    docker: FakeDocker, tmp_path: Path, driver: str, cpus: str, memory: str, status: str, found: str
) -> None:
    docker.info = ROOTLESS.format(driver=driver, cpus=cpus, memory=memory)
    checks = {check.name: check for check in doctor_compose.look_at(spec(), tmp_path, Engine({}))}
    assert checks["docker"].found.startswith("engine 28.2.2 (rootless) answers")
    limits = checks.get("limits")
    assert (limits.status if limits else "") == status
    assert found in (limits.found if limits else "")


def test_a_rootless_engine_has_no_network_of_the_machine(
    place: ComposePlace, docker: FakeDocker, tmp_path: Path
) -> None:
    docker.info = ROOTLESS.format(driver="none", cpus="false", memory="false")
    for_others = spec(compose={"image": "nodes:1", "address": "10.0.0.1"})
    with pytest.raises(NotPossibleHere, match="the network of this machine") as refused:
        preview(place, for_others)
    assert "puts the head on it" in refused.value.why
    with pytest.raises(NotPossibleHere, match="the network of this machine"):
        place.up_worker(spec(), "10.0.0.1", "10.0.0.2", "")
    checks = {check.name: check for check in doctor_compose.look_at(for_others, tmp_path, Engine({}))}
    assert checks["network"].exit_code == 2
    assert "up" not in " ".join(docker.said).split()


def test_files_are_ours_where_root_in_a_container_is_we_ourselves(
    place: ComposePlace, docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(os, "getgid", lambda: 1001)
    assert place.observe_cluster(spec()).user == "1000:1001"
    docker.info = ROOTLESS.format(driver="none", cpus="false", memory="false")
    theirs = ComposePlace(tmp_path, say=pytest.fail, engine=Engine({}))
    assert theirs.observe_cluster(spec()).user == ""
