"""Which failures are tried again, and what counts afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import second_try

ROOT = Path(__file__).parents[2]


def failure(test: str) -> pytest.TestReport:
    return pytest.TestReport(test, ("", None, ""), {}, "failed", "it broke", "call")


def test_real_processes_get_one_once() -> None:
    failures = [
        failure("tests/e2e/test_tls.py::test_nodes"),
        failure("tests/unit/plan/test_plan.py::test_rows"),
        failure("tests/unit/node/test_ray.py::test_start[2]"),
        failure("tests/e2e/test_tls.py::test_nodes"),
    ]
    assert second_try.deserving(failures, ROOT) == [
        "tests/e2e/test_tls.py::test_nodes",
        "tests/unit/node/test_ray.py::test_start[2]",
    ]


def test_many_failures_are_no_accident() -> None:
    failures = [failure(f"tests/e2e/test_tls.py::test_{k}") for k in range(second_try.NO_ACCIDENT)]
    assert second_try.deserving(failures, ROOT) == []
    assert len(second_try.deserving(failures[1:], ROOT)) == second_try.NO_ACCIDENT - 1


def test_what_passes_then_does_not_count_and_what_fails_tells_both() -> None:
    failures = [failure("a"), failure("b"), failure("a")]
    assert second_try.take_back(failures, second_try.SecondTry("a", True, "1 passed")) == [failures[0], failures[2]]
    assert second_try.take_back(failures, second_try.SecondTry("b", False, "broke again")) == []
    assert failures[1].sections == [("the second try, alone", "broke again")]
