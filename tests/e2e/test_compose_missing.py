"""Docker that is missing, silent, closed or too old, with Docker's real client: the whole of what a person is told."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import ORDINARY_USER, REPOSITORY, Ran, Shell, environment_for_everybody
from tests.e2e.docker_of_old import compose_plugin, engine

DOCKER = shutil.which("docker")
NEW, OLD = "28.2.2", "19.03.15"

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not DOCKER, reason="needs Docker's client")]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Somebody whose machine has git and Docker's client, and no Compose."""
    for each in ("checkout", "home", "programs", "docker"):
        (tmp_path / each).mkdir()
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(tmp_path / "checkout")], check=True)
    for program in ("git", "docker"):
        (tmp_path / "programs" / program).symlink_to(str(shutil.which(program)))
    environ = {"PATH": str(tmp_path / "programs"), "DOCKER_CONFIG": str(tmp_path / "docker")}
    made = Shell(tmp_path / "checkout", tmp_path / "home", environ=environ)
    made.commit("cai-deploy.yaml", "place: compose\ncompose: {image: 'nodes:1'}\nworkers: [{replicas: 1}]\n")
    return made


def told(shell: Shell, *lines: str) -> str:
    return "\n".join([f"place: Docker Compose, with the files in {shell.checkout}", *lines, ""])


def twice(shell: Shell) -> Ran:
    """Launch, and launch again: an error changes nothing, so both say the same."""
    first, second = shell.run("launch"), shell.run("launch")
    assert (first.status, first.stdout, first.stderr) == (second.status, second.stdout, second.stderr)
    assert not (shell.checkout / ".cai-deploy" / "clusters").exists()
    assert first.stdout == ""
    return first


def test_no_docker(shell: Shell) -> None:
    (shell.checkout.parent / "programs" / "docker").unlink()
    ran = twice(shell)
    assert ran.status == 5
    assert ran.stderr == told(
        shell,
        "error: there is no Docker on this machine: docker was not found",
        "hint: install Docker with its Compose plugin, or run this where they are",
    )


def test_an_engine_that_is_not_there(shell: Shell) -> None:
    shell.environ["DOCKER_HOST"] = f"unix://{shell.home}/nobody.sock"
    ran = twice(shell)
    assert ran.status == 5
    first, error, docker, hint, end = ran.stderr.split("\n")
    assert f"{first}\n" == told(shell)
    assert error == f"error: Docker's engine does not answer at unix://{shell.home}/nobody.sock"
    assert docker.startswith("  ")
    assert f"unix://{shell.home}/nobody.sock" in docker, "in Docker's own words, which change with its versions"
    assert (hint, end) == ("hint: start it (systemctl start docker), or see DOCKER_HOST and `docker context ls`", "")


def test_an_engine_that_is_too_old(shell: Shell) -> None:
    with engine(shell.home / "docker.sock", OLD) as address:
        shell.environ["DOCKER_HOST"] = address
        ran = twice(shell)
    assert ran.status == 5
    assert ran.stderr == told(
        shell,
        f"error: Docker's engine {OLD} is too old",
        "hint: install Docker's engine 20.10 or newer",
    )


def test_a_compose_that_is_too_old(shell: Shell) -> None:
    compose_plugin(shell.checkout.parent / "docker", "2.10.2")
    with engine(shell.home / "docker.sock", NEW) as address:
        shell.environ["DOCKER_HOST"] = address
        ran = twice(shell)
    assert ran.status == 5
    assert ran.stderr == told(
        shell, "error: Docker Compose 2.10.2 is too old", "hint: install Docker Compose 2.20 or newer"
    )


def test_no_compose(shell: Shell) -> None:
    with engine(shell.home / "docker.sock", NEW) as address:
        shell.environ["DOCKER_HOST"] = address
        if "Compose" in _version(shell):
            pytest.skip("Compose stands where Docker's client finds it for everybody")
        ran = twice(shell)
    assert ran.status == 5
    lines = ran.stderr.split("\n")
    what = "error: there is no Docker Compose on this machine: neither `docker compose` nor `docker-compose` answers"
    assert "\n".join(lines[:2]) + "\n" == told(shell, what)
    assert all(line.startswith("  ") for line in lines[2:-2]), "why, in the words of Docker and of the shell"
    assert lines[-2:] == ["hint: install Docker's Compose plugin (the package docker-compose-plugin)", ""]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_an_ordinary_user_who_may_not(shell: Shell, tmp_path: Path) -> None:
    directory = Path("/tmp") / f"cai-closed-{os.getpid()}"
    shutil.copytree(shell.checkout.parent, directory, symlinks=True)
    directory.chmod(0o755)
    try:
        with socket.socket(socket.AF_UNIX) as closed:
            path = directory / "closed.sock"
            closed.bind(str(path))
            path.chmod(0o660)
            python = environment_for_everybody(directory / "venv", REPOSITORY)
            user = Shell(directory / "checkout", directory / "home", user=ORDINARY_USER, python=str(python))
            user.environ = {"DOCKER_CONFIG": str(directory / "docker"), "DOCKER_HOST": f"unix://{path}"}
            who = pwd.getpwnam(ORDINARY_USER)
            for each in ("checkout", "home", "docker"):
                subprocess.run(["chown", "-R", f"{who.pw_uid}:{who.pw_gid}", str(directory / each)], check=True)
            ran = twice(user)
            doctor = user.run("doctor")
    finally:
        shutil.rmtree(directory)
    why = f"you may not use Docker's engine: {path} is closed to you"
    hint = "have yourself added to its group (usermod --append --groups docker YOU), or use rootless Docker"
    assert ran.status == 4
    assert ran.stderr == told(user, f"error: {why}", f"hint: {hint}")
    assert f"failed  docker: {why}\n        hint: {hint}" in doctor.stdout


def _version(shell: Shell) -> str:
    command = [str(DOCKER), "compose", "version"]
    return subprocess.run(command, env=shell.env(), capture_output=True, text=True, check=False).stdout
