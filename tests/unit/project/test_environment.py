"""Building an environment for real, with a lock file that installs in no time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.errors import DeployError
from cai_deploy.project import environment
from cai_deploy.project.environment import build_environment, environment_name, newest_ready

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "lock.txt").write_text("# nothing but a comment\n")
    return tmp_path


def build(project: Path, name: str = "ray-1"):
    return build_environment(project, Path("lock.txt"), PYTHON, name)


@pytest.mark.parametrize(
    ("requirements", "python", "runtime", "same"),
    [
        ("a==1\n", "3.11", "image:1", True),
        ("# a comment\n\na==1\n", "3.11", "image:1", True),
        ("a==2\n", "3.11", "image:1", False),
        ("a==1\n", "3.12", "image:1", False),
        ("a==1\n", "3.11", "image:2", False),
    ],
)
def test_the_name_follows_what_the_environment_is_made_of(
    requirements: str, python: str, runtime: str, same: bool
) -> None:
    assert (environment_name(requirements, python, runtime) == environment_name("a==1\n", "3.11", "image:1")) is same


def test_it_is_built_once_and_then_costs_nothing(project: Path) -> None:
    assert build(project).built
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    assert not build(project).built
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before
    python = project / layout.environment_dir("ray-1") / "bin" / "python"
    assert subprocess.run([python, "-c", "import sys; print(sys.prefix)"], check=True).returncode == 0


def test_the_newest_complete_one_is_found(project: Path) -> None:
    assert newest_ready(project) is None
    build(project, "ray-1")
    build(project, "ray-2")
    (project / layout.environment_dir("ray-3")).mkdir()
    os.utime(project / layout.environment_ready_file("ray-1"), (0, 0))
    assert newest_ready(project) == "ray-2"


def test_a_half_built_one_is_built_again(project: Path) -> None:
    environment = project / layout.environment_dir("ray-1")
    environment.mkdir(parents=True)
    (environment / "rubbish").touch()
    assert build(project).built
    assert not (environment / "rubbish").exists()


def test_ours_stays_out_of_git_status(project: Path) -> None:
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    build(project)
    status = subprocess.run(["git", "-C", project, "status", "--porcelain"], capture_output=True, text=True, check=True)
    assert status.stdout == "?? lock.txt\n"


def test_another_python_than_wanted_is_an_error(project: Path) -> None:
    with pytest.raises(DeployError, match=f"this runtime has Python {PYTHON}, the environment is to have 3.99"):
        build_environment(project, Path("lock.txt"), "3.99", "ray-1")


def test_a_package_that_does_not_exist_is_quoted_and_leaves_no_ready_mark(project: Path) -> None:
    (project / "lock.txt").write_text("/no/such/wheel-1.0-py3-none-any.whl\n")
    with pytest.raises(DeployError) as caught:
        build(project)
    assert caught.value.what == "the environment could not be built from lock.txt"
    assert "wheel-1.0" in caught.value.why
    assert not (project / layout.environment_ready_file("ray-1")).exists()


def test_where_there_is_no_room_the_requirements_are_not_blamed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "ROOM", 2**62)
    (project / "lock.txt").write_text("/no/such/wheel-1.0-py3-none-any.whl\n")
    with pytest.raises(DeployError) as caught:
        build(project)
    assert caught.value.next_step == "make room where the project lies, and run the same command again"


def test_variables_that_would_send_packages_elsewhere_are_dropped(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = project / "seen"
    fake = project / "tools" / "uv"
    fake.parent.mkdir()
    real = shutil.which("uv")
    assert real
    fake.write_text(f'#!/bin/sh\nenv >> {log}\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    build(project)
    assert "PIP_USER" not in log.read_text()
    assert "PYTHONDONTWRITEBYTECODE" not in log.read_text()
