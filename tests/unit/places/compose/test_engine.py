"""Docker's commands, and why they fail."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from cai_deploy import shell
from cai_deploy.places.compose.changes import ContainerChanges, for_at_least
from cai_deploy.places.compose.engine import Engine
from cai_deploy.places.compose.errors import DockerRefused, EngineSilent, NoCompose, NoDocker, NotAllowed, TooOld
from cai_deploy.state import Step
from tests.unit.places.compose.fake_docker import FakeDocker

OWNER = "0" * 16
UP = {"compose": ["--file", "f", "up", "--scale", "worker=2", "worker"], "service": "worker", "seconds": 60}


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    fake = FakeDocker()
    monkeypatch.setattr(shell, "run", fake.run)
    return fake


@pytest.fixture
def engine() -> Engine:
    return Engine({"PATH": "/bin", "COMPOSE_FILE": "other.yaml", "DOCKER_HOST": "unix:///nowhere/docker.sock"})


def numbers(engine: Engine) -> list[int]:
    return sorted(each.mark.number for each in engine.containers("ray", OWNER))


def test_missing_too_old_and_silent_are_told_apart(docker: FakeDocker, engine: Engine) -> None:
    docker.fails = {"docker": 127}
    with pytest.raises(NoDocker):
        engine.check()
    docker.fails = {"docker compose": 125, "docker-compose": 127}
    with pytest.raises(NoCompose):
        engine.check()
    docker.fails, docker.versions = {}, ("19.03.8", "2.39.1")
    with pytest.raises(TooOld, match=r"engine 19\.03\.8"):
        engine.check()
    docker.versions = ("28.0.0", "1.29.2")
    with pytest.raises(TooOld, match=r"Compose 1\.29\.2"):
        engine.check()
    docker.fails = {"docker ": 1}
    with pytest.raises(EngineSilent, match=r"unix:///nowhere/docker\.sock"):
        engine.check()


def test_a_socket_that_is_closed_to_us_says_who_may(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "docker.sock"
    closed.touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    docker.fails = {"docker": 1}
    with pytest.raises(NotAllowed, match="is closed to you") as refused:
        Engine({"DOCKER_HOST": f"unix://{closed}"}).check()
    assert refused.value.exit_code == 4


def test_who_has_a_rootless_engine_besides_is_led_to_it(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = f"unix://{tmp_path}/docker.sock"
    asked = {"XDG_RUNTIME_DIR": str(tmp_path), "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    docker.fails = {"docker": 1}
    with socket.socket(socket.AF_UNIX) as listens, monkeypatch.context() as moved:
        moved.chdir(tmp_path)  # an address of a socket may not be long
        listens.bind("docker.sock")
        with pytest.raises(EngineSilent) as silent:
            Engine(asked).check()
        assert silent.value.next_step.endswith(f"export DOCKER_HOST={theirs}")
        with pytest.raises(EngineSilent) as itself:
            Engine({**asked, "DOCKER_HOST": theirs}).check()
        assert itself.value.next_step.startswith("start it")


def test_compose_is_found_as_a_program_of_its_own_too(docker: FakeDocker, engine: Engine) -> None:
    docker.fails, docker.versions = {"docker compose": 125}, ("28.2.2", "2.39.1")
    engine.compose(["up", "--scale", "worker=1"], 1, "it")
    assert docker.said[-1] == "docker-compose up --scale worker=1"


def test_what_docker_refuses_is_told_in_its_words(docker: FakeDocker, engine: Engine) -> None:
    docker.fails = {"docker compose --file": 1}
    with pytest.raises(DockerRefused, match="cannot be made") as refused:
        ContainerChanges(engine, OWNER).apply(Step("create", "node", "worker-0", "", 0, request=UP), "ray", 30)
    assert "docker compose --file failed" in refused.value.why


def test_only_what_has_our_mark_is_seen(docker: FakeDocker, engine: Engine) -> None:
    docker.add("worker", 1, owner=OWNER)
    docker.add("worker", 2, owner="1" * 16)
    docker.add("worker", 3, owner=OWNER, cluster="other")
    assert numbers(engine) == [1]


def test_an_image_is_here_or_not(docker: FakeDocker, engine: Engine) -> None:
    docker.images = {"nodes:1"}
    assert engine.has_image("nodes:1")
    assert not engine.has_image("nodes:2")
    docker.fails = {"docker": 1}
    with pytest.raises(EngineSilent):
        engine.has_image("nodes:1")


def test_two_that_are_missing_are_made_by_whoever_comes_first(docker: FakeDocker, engine: Engine) -> None:
    changes = ContainerChanges(engine, OWNER)
    for name in ("worker-0", "worker-1"):
        changes.apply(Step("create", "node", name, "", 0, request=UP), "ray", 30)
    assert numbers(engine) == [1, 2]


def test_a_changed_node_gets_another_container(docker: FakeDocker, engine: Engine) -> None:
    first = docker.add("worker", 1, owner=OWNER)
    docker.add("worker", 2, owner=OWNER)
    ContainerChanges(engine, OWNER).apply(Step("restart", "node", "worker-0", "", 0, first, UP), "ray", 30)
    assert numbers(engine) == [2, 3]
    assert f"docker stop --time=40 {first}" in docker.said


def test_a_failed_node_keeps_its_container(docker: FakeDocker, engine: Engine) -> None:
    first = docker.add("worker", 1, owner=OWNER, Status="exited", ExitCode=1)
    ContainerChanges(engine, OWNER).apply(Step("restart", "node", "worker-0", "has failed", 0, first), "ray", 30)
    assert docker.said == [f"docker restart --time=40 {first}"]


def test_a_node_that_is_gone_already_is_no_error(docker: FakeDocker, engine: Engine) -> None:
    docker.fails = {"docker stop": 1, "docker rm": 1}
    engine.stop("b" * 64, 10)
    docker.fails = {"docker stop": 1, "docker rm": 1}
    first = docker.add("worker", 1, owner=OWNER)
    with pytest.raises(DockerRefused, match="does not go"):
        engine.stop(first, 10)


def test_none_goes_that_was_not_ended_by_us() -> None:
    assert for_at_least(UP["compose"], "worker", 3)[4] == "worker=3"  # type: ignore[arg-type]
    assert for_at_least(UP["compose"], "worker", 1)[4] == "worker=2"  # type: ignore[arg-type]
