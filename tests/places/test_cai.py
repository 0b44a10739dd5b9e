"""What every place does alike, on a local workspace."""

from __future__ import annotations

import pytest

from tests.places.contract import *  # noqa: F403 (the tests)
from tests.places.contract import Place
from tests.places.grounds import cai

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def place() -> Place:
    return cai
