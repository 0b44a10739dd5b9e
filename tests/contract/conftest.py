"""One workspace for the tests that only need one to talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cai_deploy.local_workspace import process
from tests.contract.workspace import Checked, running


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Endpoint]:
    with running(tmp_path_factory.mktemp("contract")) as started:
        yield started


@pytest.fixture(scope="session")
def client(endpoint: process.Endpoint) -> Checked:
    return Checked(endpoint)


@pytest.fixture(scope="session")
def runtime(client: Checked) -> str:
    identifier: str = client.good("GET", "runtimes")["runtimes"][0]["image_identifier"]
    return identifier
