"""The changelog can be built and cut into a release's notes, issues ask for what helps, licences allow our use."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parents[3]
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
FORMS = REPOSITORY / ".github" / "ISSUE_TEMPLATE"


def ran(*command: str | Path, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def beside_python(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def test_the_changelog_becomes_the_notes_of_a_release(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(REPOSITORY / name, tmp_path)
    for name in ("changes", ".ci"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    (tmp_path / "changes" / "7.fixed.md").write_text("What was broken works.\n")
    built = ran(
        beside_python("towncrier"), "build", "--yes", "--version", "9.9.9", "--date", "2030-01-02", cwd=tmp_path
    )
    assert built.returncode == 0, built.stderr
    (tmp_path / "changes" / "8.added.md").write_text("What was missing is there.\n")
    again = ran(beside_python("towncrier"), "build", "--yes", "--version", "9.10.0", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert [file.name for file in (tmp_path / "changes").iterdir()] == ["README.md"]

    newest, before = (ran(tmp_path / ".ci/release-notes", version) for version in ("9.10.0", "9.9.9"))
    assert newest.stdout.strip() == "### Added\n\n- What was missing is there. (#8)"
    assert "- What was broken works. (#7)" in before.stdout
    assert "What was missing" not in before.stdout
    never = ran(tmp_path / ".ci/release-notes", "9.9")
    assert (never.returncode, never.stdout) == (1, "")
    assert never.stderr == "CHANGELOG.md tells nothing of 9.9; build it first: towncrier build --version 9.9\n"


def test_what_comes_next_can_be_shown() -> None:
    told = ran(beside_python("towncrier"), "build", "--draft", "--version", "next")
    assert told.returncode == 0, told.stderr


def test_each_change_is_of_a_kind_that_there_is() -> None:
    kinds = {each["directory"] for each in PYPROJECT["tool"]["towncrier"]["type"]}
    files = [file for file in (REPOSITORY / "changes").iterdir() if file.name != "README.md"]
    assert [file.name for file in files if file.suffixes[-2:-1] not in [[f".{kind}"] for kind in kinds]] == []


def test_issue_forms_keep_to_the_schema_and_ask_for_what_helps() -> None:
    check = beside_python("check-jsonschema")
    forms = [FORMS / "bug.yml", FORMS / "idea.yml"]
    done = ran(check, "--builtin-schema", "vendor.github-issue-forms", *forms)
    assert done.returncode == 0, done.stdout
    done = ran(check, "--builtin-schema", "vendor.github-issue-config", FORMS / "config.yml")
    assert done.returncode == 0, done.stdout
    asked = [each["attributes"].get("label") for each in yaml.safe_load(forms[0].read_text())["body"]]
    assert {f"python -m cai_deploy {verb}" for verb in ("--version", "doctor", "explain")} <= set(asked)


def test_what_is_locked_may_be_used() -> None:
    told = ran(sys.executable, REPOSITORY / ".ci/licences", sys.prefix, REPOSITORY / "requirements/dev.txt")
    assert told.returncode == 0, told.stdout + told.stderr
    assert int(told.stdout.split()[0]) > 100, "the environment of development holds them"


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("Apache-2.0 AND MIT", True),
        ("Apache-2.0 AND GPL-3.0-only", False),
        ("GPL-3.0-only AND (MIT OR Apache-2.0)", False),
        ("MIT AND (BSD-3-Clause OR Apache-2.0)", True),
        ("states no licence", False),
    ],
)
def test_licences_are_read_as_they_are_meant(expression: str, allowed: bool) -> None:
    assert licences().permits(expression) is allowed


def licences() -> ModuleType:
    loader = SourceFileLoader("licences", str(REPOSITORY / ".ci/licences"))
    spec = importlib.util.spec_from_loader("licences", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_version_of_a_copy_without_tags_stands_twice_and_is_the_same() -> None:
    from cai_deploy import UNRELEASED

    assert PYPROJECT["tool"]["hatch"]["version"]["fallback-version"] == UNRELEASED
