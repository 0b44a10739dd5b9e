"""Pages that are made from code say what the code says now, and leave nothing out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from cai_deploy.cli import VERBS
from cai_deploy.diagnosis import SIGNS
from cai_deploy.spec import ClusterSpec
from tests.pages import DOCS, REPOSITORY
from tools.reference import exit_codes, variables
from tools.reference.pages import PAGES

OURS = re.compile(r"(CAI_DEPLOY|CML|CDSW)(_[A-Z0-9]+)+")
LISTED = [name for _, _, names in variables.SECTIONS for name in names]


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_current(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page](), "make it anew: python -m tools.reference"


def test_every_sign_of_trouble_is_told() -> None:
    told = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    assert [sign.cause for sign in SIGNS if sign.fix not in told or sign.cause.lower() not in told.lower()] == []
    assert "```text\n```" not in told, "a sign without a line that shows it"


def test_every_command_and_every_key_is_told() -> None:
    told = (DOCS / "reference/cli.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"\n## {verb}\n" not in told] == []
    told = (DOCS / "reference/specification.md").read_text(encoding="utf-8")
    assert [key for key in ClusterSpec.model_fields if not re.search(rf"\n\| `{key}[`.\[]", told)] == []


def test_every_exit_code_has_a_meaning() -> None:
    assert set(exit_codes.codes()) <= set(exit_codes.MEANINGS)


def test_every_variable_is_told_and_no_other() -> None:
    assert sorted(set(named_in_code()) - set(LISTED)) == []
    source = "\n".join(file.read_text(encoding="utf-8") for file in (REPOSITORY / "cai_deploy").rglob("*.py"))
    # click heeds NO_COLOR, and so does rich.
    assert [name for name in LISTED if f'"{name}"' not in source and name != "NO_COLOR"] == []
    assert len(LISTED) == len(set(LISTED))


def named_in_code() -> Iterator[str]:
    """The variables of ours and of the platform that the package names."""
    for top in ("cai_deploy", "jobs"):
        for file in (REPOSITORY / top).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and OURS.fullmatch(node.value):
                    yield node.value
