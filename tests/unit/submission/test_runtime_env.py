"""A runtime environment is checked before it is sent, and no error tells a variable's value."""

from __future__ import annotations

from pathlib import Path

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.submission.runtime_env import (
    read_runtime_env,
    read_variables,
    requirements_in,
    with_packages,
    with_variables,
)


def read(tmp_path: Path, text: str) -> dict[str, object]:
    file = tmp_path / "env.yaml"
    file.write_text(text)
    return read_runtime_env(file)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("enw_vars: {}", "enw_vars: unknown key; did you mean 'env_vars'?"),
        ("zzz: 1", "zzz: unknown key"),
        ("- a", "no keys"),
        ("a: [", "not YAML"),
        ("env_vars: {A: 1234567}", "env_vars must be names with texts"),
        ("env_vars: [A]", "env_vars must be names with texts"),
        ("uv: 5", "list of requirements"),
        ("pip: missing.txt", "cannot be read"),
    ],
)
def test_what_ray_would_not_know(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert why in str(caught.value)
    assert "1234567" not in f"{caught.value} {caught.value.next_step}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_runtime_env(tmp_path / "env.yaml")


def test_requirements_stand_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("a==1\n")
    assert read(tmp_path, "uv: r.txt")["uv"] == {"packages": ["a==1"]}
    assert read(tmp_path, "pip: {packages: [b], pip_check: true}")["pip"] == {"packages": ["b"], "pip_check": True}
    assert read(tmp_path, "") == {}


def test_requirements_in_several_files(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("b>=1 ; python_version>'3'\n--index-url https://i\n")
    (tmp_path / "r.txt").write_text("# all\na==1 \\\n    --hash=sha256:1\n\n-r more.txt\nc @ https://x/#egg=c # why\n")
    assert requirements_in(tmp_path / "r.txt") == [
        "a==1 --hash=sha256:1",
        "b>=1 ; python_version>'3'",
        "--index-url https://i",
        "c @ https://x/#egg=c",
    ]


@pytest.mark.parametrize("line", ["-e .", "--editable=.", "-c limits.txt"])
def test_what_cannot_go_along(tmp_path: Path, line: str) -> None:
    (tmp_path / "r.txt").write_text(line)
    with pytest.raises(ConfigError, match="cannot go along"):
        requirements_in(tmp_path / "r.txt")


def test_variables_may_be_taken_from_here() -> None:
    assert read_variables(["A=1=2", "B", "C="], {"B": "mine"}) == {"A": "1=2", "B": "mine", "C": ""}


@pytest.mark.parametrize("given", ["=s3cret-value", "1A=s3cret-value", "A B=s3cret-value", "MISSING"])
def test_wrong_variables_are_told_without_their_values(given: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_variables([given], {})
    assert "s3cret" not in f"{caught.value} {caught.value.next_step}"


def test_what_every_job_is_better_off_with() -> None:
    fields = with_variables({"env_vars": {"MKL_NUM_THREADS": "3", "EMPTY": ""}}, {"OMP_NUM_THREADS": "", "A": "1"}, 4.0)
    assert fields["env_vars"] == {
        "PYTHONUNBUFFERED": "1",
        "MKL_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "4",
        "NUMEXPR_NUM_THREADS": "4",
        "EMPTY": "",
        "A": "1",
    }
    assert with_variables({}, {}, 0)["env_vars"]["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize(
    ("fields", "asked", "expected"),
    [
        ({}, {}, {}),
        ({}, {"wheels": ["w"]}, {"uv": {"packages": ["w"]}}),
        ({"pip": ["a"]}, {"wheels": ["w"]}, {"pip": {"packages": ["a", "w"]}}),
        ({}, {"pip": ["b"], "wheels": ["w"]}, {"pip": {"packages": ["b", "w"]}}),
        (
            {"uv": {"packages": ["a"], "uv_check": True}},
            {"uv": ["b"]},
            {"uv": {"packages": ["a", "b"], "uv_check": True}},
        ),
    ],
)
def test_packages_go_to_the_installer_that_is_used(fields: dict, asked: dict, expected: dict) -> None:
    assert with_packages(fields, **asked) == expected


def test_one_installer(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not by both"):
        with_packages({"pip": ["a"]}, uv=["b"])
