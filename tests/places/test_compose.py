"""What every place does alike, on a Docker of its own."""

from __future__ import annotations

import pytest

from tests.e2e import private_docker
from tests.places.contract import *  # noqa: F403 (the tests)
from tests.places.contract import Place, of_machines
from tests.places.grounds import compose

pytestmark = of_machines(private_docker.unavailable())


@pytest.fixture(scope="module")
def place() -> Place:
    return compose
