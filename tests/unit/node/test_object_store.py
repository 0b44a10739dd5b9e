"""How large the object store is, and where it lies, by what the pod has."""

from __future__ import annotations

from pathlib import Path

import pytest

from cai_deploy.node.object_store import ObjectStore, fitting_store
from cai_deploy.node_settings import SMALLEST_OBJECT_STORE

GB = 1024**3
MB = 1024**2
DIRECTORY = Path("/tmp/ray-x")


@pytest.mark.parametrize(
    ("wanted", "shared_memory", "disk", "size", "where"),
    [
        (3 * GB, 20 * GB, 0, 3 * GB, None),
        (3 * GB, GB, 0, int(0.9 * GB), None),
        (3 * GB, 64 * MB, 100 * GB, 3 * GB, DIRECTORY),
        (30 * GB, 64 * MB, 40 * GB, 10 * GB, DIRECTORY),
        (3 * GB, 64 * MB, 0, SMALLEST_OBJECT_STORE, DIRECTORY),
        (3 * GB, 0, 100 * GB, 3 * GB, DIRECTORY),
        (SMALLEST_OBJECT_STORE, 100 * MB, 0, SMALLEST_OBJECT_STORE, None),
    ],
)
def test_it_lies_where_it_fits(wanted: int, shared_memory: int, disk: int, size: int, where: Path | None) -> None:
    store = fitting_store(wanted, shared_memory, disk, DIRECTORY)
    assert (store.size, store.directory) == (size, where)
    assert bool(store.warning) == (store != ObjectStore(wanted))


def test_the_warning_says_both_numbers_and_what_to_do() -> None:
    warning = fitting_store(1200 * MB, 64 * MB, 100 * GB, DIRECTORY).warning
    assert "has 64 MB free, the object store wants 1200 MB: it lies on disk with 1200 MB" in warning
    assert "raise the project's shared memory limit to at least 1334 MB" in warning
    assert fitting_store(1200 * MB, 1334 * MB, 0, DIRECTORY).warning == "", "what it tells to do helps"
