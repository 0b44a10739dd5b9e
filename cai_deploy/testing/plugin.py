"""The pytest plugin: the fixture ``local_workspace``. Loaded in every pytest run, so it imports nothing until used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cai_deploy.testing.workspace import LocalWorkspace

OPTION = "--local-workspace-pods"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How pods are walled in, for a run that wants to know more than plain processes can tell."""
    parser.getgroup("cai_deploy").addoption(
        OPTION,
        choices=("loopback", "userns", "root", "auto"),
        default="loopback",
        help="pods of the local_workspace fixture: plain processes (default), or with namespaces of their own",
    )


@pytest.fixture
def local_workspace(request: pytest.FixtureRequest) -> Iterator[LocalWorkspace]:
    """A Cloudera AI workspace of this test's own: it speaks the API v2 and really runs jobs and applications."""
    from cai_deploy.testing.workspace import local_workspace as opened

    with opened(pods=str(request.config.getoption(OPTION))) as workspace:
        yield workspace
