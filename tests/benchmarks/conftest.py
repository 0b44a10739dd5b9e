"""The benchmarks, and the one table that they end with. They assert what can be counted, and no times.

`make bench` runs them all. The tests' own command runs their short form: what is marked ``short``, with few turns and
small sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.benchmarks.rows import Row, table, write_report

ROW = "benchmark"
WHY_NOT = "takes minutes: make bench"

Record = Callable[[Row], None]


@dataclass(frozen=True)
class Size:
    """How much is measured: ``rounds`` turns, and large things or small ones."""

    rounds: int
    short: bool

    def of(self, large: int, small: int) -> int:
        """The number for this size."""
        return small if self.short else large


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--benchmark",
        choices=("short", "full"),
        nargs="?",
        const="full",
        default="short",
        help="how much the benchmarks measure; without this option, and with =short, little of it",
    )
    parser.addoption("--benchmark-report", metavar="DIRECTORY", help="where to write the table, as Markdown and JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "short: a benchmark that has a short form, for the tests' own command")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not _short(config):
        return
    for item in items:
        if item.path.parent == Path(__file__).parent and not item.get_closest_marker("short"):
            item.add_marker(pytest.mark.skip(reason=WHY_NOT))


def _short(config: pytest.Config) -> bool:
    return str(config.getoption("--benchmark", "short")) == "short"


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> Size:
    """How much to measure."""
    return Size(rounds=2, short=True) if _short(request.config) else Size(rounds=5, short=False)


@pytest.fixture
def record(record_property: Callable[[str, object], None]) -> Record:
    """Notes a row of the table."""
    return lambda row: record_property(ROW, asdict(row))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, and write it where it is wanted."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    noted = [each for report in reports if report.when == "call" for each in report.user_properties]
    rows = [Row(**fields) for name, fields in noted if name == ROW]
    if not rows:
        return
    terminalreporter.section("benchmarks: few turns, small sizes" if _short(config) else "benchmarks")
    terminalreporter.write_line(table(rows))
    for row in rows:
        if row.told:
            terminalreporter.write_line(f"{row.figure}: {row.told}")
    if directory := config.getoption("--benchmark-report", None):
        for path in write_report(Path(directory), rows):
            terminalreporter.write_line(f"written: {path}")
