"""The expressions of workflows, by which the tests' own runner decides what to run."""

from __future__ import annotations

import pytest

from tests.e2e.expressions import condition, evaluate, fill_in

VALUES = {
    "github.event_name": "push",
    "vars.HOST": "",
    "steps.a.outputs.b-c": "d",
    "steps.gone.skipped": True,
    "inputs.with'quote": "",
    "failure": False,
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("github.event_name == 'push'", True),
        ("github.event_name != 'push'", False),
        ("vars.HOST || '.[submit]'", ".[submit]"),
        ("vars.HOST != '' && github.event_name == 'push'", False),
        ("vars.HOST == '' && (github.event_name == 'x' || github.event_name == 'push')", True),
        ("steps.a.outputs.b-c", "d"),
        ("steps.gone.outputs.anything", ""),
        ("failure()", False),
    ],
)
def test_what_it_comes_to(expression: str, value: object) -> None:
    assert evaluate(expression, VALUES) == value


@pytest.mark.parametrize("expression", ["github.actor", "steps.a.outputs.typo", "contains('a', 'b')"])
def test_a_name_that_is_not_known(expression: str) -> None:
    with pytest.raises((KeyError, ValueError)):
        evaluate(expression, VALUES)


def test_texts_are_filled_in() -> None:
    assert fill_in("a ${{ github.event_name }} ${{steps.a.outputs.b-c}}", VALUES) == "a push d"


def test_after_a_failure_only_what_asks_for_it_runs() -> None:
    failed = {**VALUES, "failure": True}
    assert [condition(text, failed) for text in (None, "github.event_name == 'push'", "failure()")] == [
        False,
        False,
        True,
    ]
    assert [condition(text, VALUES) for text in (None, "github.event_name == 'push'", "failure()")] == [
        True,
        True,
        False,
    ]
