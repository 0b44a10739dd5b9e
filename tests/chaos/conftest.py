"""One workspace for each module, one cluster with real Ray for all, and at the end what the tests came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cai_deploy.testing import local_workspace
from tests.chaos.cluster_of_scripts import Bench
from tests.chaos.real_cluster import RealCluster
from tests.e2e.conftest import people

FIGURE = "figure"
TROUBLE = "trouble"

Figure = Callable[[str], None]
Trouble = Callable[[str, str, float], None]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A workspace and a checkout with the stand-in scripts."""
    with local_workspace(stop_grace=1) as workspace:
        yield Bench(workspace, tmp_path_factory.mktemp("chaos"))


@pytest.fixture(scope="package")
def cluster() -> Iterator[RealCluster]:
    """A head and two workers with real Ray. Who strikes it hands it on healthy."""
    with people() as make:
        cluster = RealCluster(make())
        if not cluster.walled:
            pytest.skip("pods have no walls on this machine: no signal or cable strikes one of them alone")
        yield cluster


@pytest.fixture
def trouble(record_property: Callable[[str, object], None]) -> Trouble:
    """Notes a line of the table of misfortunes: what was done, what happened, and after how many seconds."""
    return lambda case, happened, seconds: record_property(TROUBLE, (case, happened, seconds))


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Notes a line that is printed when all tests are done, also for tests that pass."""
    return lambda line: record_property(FIGURE, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures, and the table of misfortunes with their verdicts."""
    ended = (terminalreporter.stats.get(kind, []) for kind in ("passed", "failed", "xfailed", "xpassed"))
    reports = [report for kind in ended for report in kind if getattr(report, "when", "") == "call"]
    noted = [(report.passed, name, value) for report in reports for name, value in report.user_properties]
    lines = [str(value) for _, name, value in noted if name == FIGURE]
    rows = [
        "{:<46} {:>6.1f} s  {:<4}  {}".format(value[0], value[2], "well" if passed else "BAD", value[1])
        for passed, name, value in noted
        if name == TROUBLE
    ]
    for title, shown in (("figures", lines), ("misfortunes", rows)):
        if shown:
            terminalreporter.section(title)
        for line in shown:
            terminalreporter.write_line(line)
