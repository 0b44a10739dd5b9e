"""What all tests have in common: long ones run when asked for, and those of real processes get a second try."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests import second_try

WHY_NOT = "takes from minutes to hours: pytest --long -m long"
TRIED_TWICE = "second try"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long tests too: every fault, cuts of a minute")
    parser.addoption("--one-try", action="store_true", help="no second try for tests of real processes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason=WHY_NOT))


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """After all tests, those of real processes that failed are run once more, before anybody counts."""
    done = yield
    if not (hasattr(session.config, "workerinput") or session.config.getoption("--one-try")):
        _try_again_what_failed(session)
    return done


def _try_again_what_failed(session: pytest.Session) -> None:
    terminal = session.config.pluginmanager.getplugin("terminalreporter")
    kinds = [terminal.stats.get(kind, []) for kind in ("failed", "error")]
    for test in second_try.deserving([report for kind in kinds for report in kind], session.config.rootpath):
        terminal.write_line(f"\nonce more, alone: {test}")
        again = second_try.try_again(test, session.config)
        for kind in kinds:
            for report in second_try.take_back(kind, again):
                kind.remove(report)
                terminal.stats.setdefault(TRIED_TWICE, []).append(report)
                session.testsfailed -= 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why the first tries failed: a second that passes must not hide it."""
    for report in terminalreporter.getreports(TRIED_TWICE):
        terminalreporter.section(f"first try of {report.nodeid}, whose second passed")
        terminalreporter.write_line(report.longreprtext[-second_try.TOLD :])
