"""Groundwork in a directory: what stands there, and what is never overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.errors import ConfigError
from cai_deploy.places.code import code_digest, copy_code
from cai_deploy.places.directory_ground import GroundInDirectory
from cai_deploy.places.slurm import groundwork
from cai_deploy.render import LAUNCHER_SIGN, Launcher
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import GroundState, Step, WantedGround

LAUNCHER = Launcher("head", "ray_head_launcher.py", f'"""The head, {LAUNCHER_SIGN} 1."""\n')


def step(want: WantedGround) -> Step:
    return Step("create", want.kind, want.name, "", 0, request=want.request)


def state(root: Path, want: WantedGround) -> tuple[GroundState, bool]:
    (ground,) = GroundInDirectory(root).look([want])
    return ground.state, ground.fingerprint == want.fingerprint


@pytest.mark.parametrize(
    "want",
    [
        groundwork.code(code_digest()),
        next(groundwork.launchers([LAUNCHER])),
        groundwork.specification(ClusterSpec()),
        groundwork.record(ClusterSpec(), {"head": "ray-1"}),
    ],
    ids=lambda want: want.kind,
)
def test_what_was_made_stands(tmp_path: Path, want: WantedGround) -> None:
    assert state(tmp_path, want) == (GroundState.ABSENT, False)
    GroundInDirectory(tmp_path).apply(step(want))
    assert state(tmp_path, want) == (GroundState.READY, True)
    GroundInDirectory(tmp_path).apply(step(want))
    assert (tmp_path / ".cai-deploy/.gitignore").read_text() == "*\n"


def test_a_file_that_says_something_else_is_replaced(tmp_path: Path) -> None:
    want = groundwork.specification(ClusterSpec())
    GroundInDirectory(tmp_path).apply(step(groundwork.specification(ClusterSpec(tls=True))))
    assert state(tmp_path, want) == (GroundState.READY, False)
    GroundInDirectory(tmp_path).apply(step(want))
    assert state(tmp_path, want) == (GroundState.READY, True)


def test_a_persons_own_file_is_no_launcher(tmp_path: Path) -> None:
    (tmp_path / LAUNCHER.path).write_text("mine")
    ground = GroundInDirectory(tmp_path)
    assert ground.strange(LAUNCHER.path)
    with pytest.raises(ConfigError, match="was not written by"):
        ground.apply(step(next(groundwork.launchers([LAUNCHER]))))
    assert (tmp_path / LAUNCHER.path).read_text() == "mine"


def test_an_environment_is_not_built_under_a_name_that_is_not_its_own(tmp_path: Path) -> None:
    (want,) = groundwork.environments(ClusterSpec(), ["ray-old"])
    with pytest.raises(ConfigError, match="not ray-old"):
        GroundInDirectory(tmp_path).apply(step(want))


def test_an_environment_stands_when_its_mark_is_there(tmp_path: Path) -> None:
    (want,) = groundwork.environments(ClusterSpec(), ["ray-1"])
    mark = tmp_path / layout.environment_ready_file("ray-1")
    mark.parent.mkdir(parents=True)
    assert state(tmp_path, want) == (GroundState.ABSENT, False)
    mark.touch()
    assert state(tmp_path, want) == (GroundState.READY, True)


def test_the_code_is_named_by_what_it_holds(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "__pycache__").mkdir(parents=True)
    (package / "a.py").write_text("1")
    first = code_digest.__wrapped__(package)
    (package / "__pycache__/a.pyc").write_text("compiled")
    assert code_digest.__wrapped__(package) == first
    copy_code(tmp_path, first, package)
    copied = tmp_path / layout.code_dir(first)
    assert [file.relative_to(copied).as_posix() for file in copied.rglob("*")] == ["package", "package/a.py"]
    (package / "a.py").rename(package / "b.py")
    assert code_digest.__wrapped__(package) != first
    copy_code(tmp_path, first, package)  # it is there: nothing is touched
    assert (copied / "package/a.py").exists()
    assert [entry.name for entry in copied.parent.iterdir()] == [first]
