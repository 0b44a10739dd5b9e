"""Docker Compose for an ordinary user, and the image that is built: a real engine, real Compose, real Ray."""

from __future__ import annotations

import pwd
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cai_deploy.spec import ClusterSpec
from tests.e2e.conftest import ORDINARY_USER, REPOSITORY
from tests.e2e.docker_people import ordinary
from tests.e2e.private_docker import DockerShell, PrivateDocker, private_docker, unavailable

NO_DOCKER = unavailable()

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(bool(NO_DOCKER), reason=NO_DOCKER),
]

SPECIFICATION = """
head: {cpu: 1, memory_gb: 1.5}
workers: [{replicas: 1, cpu: 1, memory_gb: 1}]
timeouts: {launch: 480, join: 240, stop: 10}
"""
BASE = "with-python:1"


@pytest.fixture(scope="module")
def docker() -> Iterator[PrivateDocker]:
    with private_docker() as started:
        yield started


def test_files_of_an_ordinary_users_cluster_are_that_users(docker: PrivateDocker) -> None:
    who = pwd.getpwnam(ORDINARY_USER)
    docker.open_to_everybody()
    shell = ordinary(docker, SPECIFICATION)
    shell.ok("launch")
    try:
        assert {each["Config"]["User"] for each in docker.containers()} == {f"{who.pw_uid}:{who.pw_gid}"}
        strangers = [path for path in shell.checkout.rglob("*") if path.lstat().st_uid != who.pw_uid]
        assert strangers == []
        assert [node["ray_state"] for node in shell.status()["nodes"]] == ["ALIVE", "ALIVE"]
        token = shell.ok("connect", "--json").json()["in_the_project"]["RAY_AUTH_TOKEN_PATH"]
        assert Path(token).is_file()
        assert Path(token).is_relative_to(shell.checkout)
        assert shell.ok("launch", "--json").json()["steps"] == []
    finally:
        shell.ok("down")
    assert docker.containers() == []


def test_the_rendered_image_is_built_and_is_called_by_what_it_is_made_from(docker: PrivateDocker) -> None:
    import_a_base(docker)
    directory = docker.home / f"built-{secrets.token_hex(2)}"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(directory)], check=True)
    shell = DockerShell(directory, directory / "home", environ=docker.environ, docker=docker)
    # The engine has no way to where packages are: the lock file has Ray's version, for another Python.
    version = ClusterSpec().ray_version
    shell.commit("small.txt", f"ray=={version} ; python_version < '3'\n")
    shell.commit(
        "cai-deploy.yaml", f"place: compose\ncompose: {{base: '{BASE}'}}\nenvironment: {{requirements: small.txt}}\n"
    )
    shell.ok("render", "--place", "compose", "--out", "rendered")
    image = str(shell.checkout / "rendered" / "image")
    docker.run("docker", "build", "--tag=built", image)
    python = "/opt/cai-deploy/environment/bin/python"
    asked = "import sys; print(sys.prefix); print(open(sys.prefix + '/ready.json').read())"
    told = docker.run("docker", "run", "--rm", "built", python, "-c", asked)
    assert told.split() == ["/opt/cai-deploy/environment", '{"name":', '"image"}']
    docker.run("docker", "compose", "--file", str(shell.checkout / "rendered/compose.yaml"), "config", "--quiet")


def import_a_base(docker: PrivateDocker) -> None:
    """An image with a shell, this Python and uv, which needs no network: it is given no package to fetch."""
    python = Path(sys.executable).resolve().parents[1]
    uv = Path(sys.executable).with_name("uv")
    tree = docker.home / "base"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("bin", "lib", "lib64"):
        (tree / "usr" / name).mkdir(parents=True)
        (tree / name).symlink_to(f"usr/{name}")
    programs = [each for name in ("bash", "sh", "ls", "env") if (each := shutil.which(name))]
    binaries = [*programs, str(uv), str(python / "bin" / f"python3.{sys.version_info.minor}")]
    for path in {*binaries, *(library for each in binaries for library in libraries(each))}:
        place = tree / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for name in ("python", "uv"):
        (tree / "usr/bin" / name).unlink(missing_ok=True)
    for name, target in (("python", python / "bin" / f"python3.{sys.version_info.minor}"), ("uv", uv)):
        (tree / "usr/bin" / name).symlink_to(target)
    shutil.copytree(python / "lib", tree / str(python / "lib").lstrip("/"), dirs_exist_ok=True, ignore=without_packages)
    (tree / "tmp").mkdir(exist_ok=True)
    file = docker.home / "base.tar"
    subprocess.run(["tar", "--create", "--file", str(file), "--directory", str(tree), "."], check=True)
    environ = ["--change", "ENV PATH=/usr/bin:/bin", "--change", "ENV UV_OFFLINE=1"]
    docker.run("docker", "import", *environ, str(file), BASE)


def without_packages(directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("site-packages", "test", "__pycache__") or name.endswith(".a")]


def libraries(program: str) -> list[str]:
    """What a program is linked with."""
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return [
        word for line in linked.splitlines() for word in line.split() if word.startswith("/") and Path(word).exists()
    ]
