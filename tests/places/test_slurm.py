"""What every place does alike, on a Slurm of its own."""

from __future__ import annotations

import pytest

from tests.e2e import slurm_machines
from tests.places.contract import *  # noqa: F403 (the tests)
from tests.places.contract import Place, of_machines
from tests.places.grounds import slurm

pytestmark = of_machines(slurm_machines.unavailable())


@pytest.fixture(scope="module")
def place() -> Place:
    return slurm
