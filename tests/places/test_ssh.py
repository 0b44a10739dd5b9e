"""What every place does alike, on hosts of its own."""

from __future__ import annotations

import pytest

from tests.e2e import ssh_hosts
from tests.places.contract import *  # noqa: F403 (the tests)
from tests.places.contract import Place, of_machines
from tests.places.grounds import ssh

pytestmark = of_machines(ssh_hosts.unavailable())


@pytest.fixture(scope="module")
def place() -> Place:
    return ssh
