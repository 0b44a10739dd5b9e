"""Wheels get a place in the package that their content names; what builds them is asked so that the same comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import shell
from cai_deploy.errors import CommandFailed, ConfigError
from cai_deploy.submission import wheels
from cai_deploy.submission.wheels import BuildFailed, build_wheels, placed, requirement

NAME = "beta-0.1-py3-none-any.whl"


def test_another_content_has_another_place_under_the_same_name(tmp_path: Path) -> None:
    wheel = tmp_path / NAME
    wheel.write_bytes(b"one")
    (first,) = placed([wheel])
    wheel.write_bytes(b"two")
    (second,) = placed([wheel])
    assert first != second
    assert Path(first).name == Path(second).name == NAME
    assert requirement(first) == f"${{RAY_RUNTIME_ENV_CREATE_WORKING_DIR}}/{first}"


@pytest.mark.parametrize("name", ["missing.whl", "there.tar.gz"])
def test_what_is_no_wheel(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.tar.gz").touch()
    with pytest.raises(ConfigError, match=name):
        placed([tmp_path / name])


class Builder:
    """Stands where programs are run."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.argv: list[str] = []
        self.env: Mapping[str, str] = {}

    def __call__(self, argv: Sequence[str], *, env: Mapping[str, str], **more: Any) -> None:
        self.argv, self.env = list(argv), env
        if self.fails:
            raise CommandFailed("build", 2, "no module named hatchling")
        Path(argv[-2], NAME).touch()


@pytest.mark.parametrize(("text", "all_of_them"), [("[project]", False), ("[tool.uv.workspace]\nmembers=['x']", True)])
def test_building(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, all_of_them: bool) -> None:
    builder, out = Builder(), tmp_path / "out"
    out.mkdir()
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.setattr(shell, "run", builder)
    assert build_wheels(tmp_path, out) == [out / NAME]
    assert builder.argv[-2:] == [str(out), str(tmp_path)]
    assert ("--all-packages" in builder.argv) == all_of_them
    assert builder.env["SOURCE_DATE_EPOCH"] == wheels.LONG_AGO


def test_a_build_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "setup.py").touch()
    monkeypatch.setattr(shell, "run", Builder(fails=True))
    with pytest.raises(BuildFailed) as caught:
        build_wheels(tmp_path, tmp_path)
    assert caught.value.why == "no module named hatchling"


def test_nothing_to_build(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to build"):
        build_wheels(tmp_path, tmp_path)
