"""Benchmarks run only when asked for (`pytest tests/benchmarks --benchmark -s`): they print ratios, assert no times."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--benchmark", action="store_true", help="run the benchmarks and print their figures")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--benchmark"):
        return
    for item in items:
        if "tests/benchmarks" in item.nodeid:
            item.add_marker(pytest.mark.skip(reason="a benchmark: pytest tests/benchmarks --benchmark -s"))
