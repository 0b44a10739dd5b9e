"""Records as lists: pages and counts, without reading all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cai_deploy.local_workspace.store import Record, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "records.sqlite")
    for number in range(7):
        shown = {"name": f"n{number}", "status": "odd" if number % 2 else "even"}
        store.put(Record("thing", f"id-{number}", "here", shown), Record("thing", f"far-{number}", "there", shown))
    yield store
    store.close()


def test_what_is_shown_is_a_list_like_any_other(store: Store) -> None:
    names = [f"n{number}" for number in range(7)]
    found = store.shown("thing", "here")
    assert [each["name"] for each in found] == names
    assert len(found) == 7
    assert found[-1]["name"] == "n6"
    for start in (0, 2, 6, 7, 20):
        for end in (0, 3, 7, 30):
            assert [each["name"] for each in found[start:end]] == names[start:end]
    assert [each["name"] for each in found[::-3]] == names[::-3]
    with pytest.raises(IndexError):
        found[7]


def test_it_shows_what_is_there_when_it_is_looked_at(store: Store) -> None:
    found = store.shown("thing", "here")
    store.delete("thing", "id-0")
    assert len(found) == 6
    assert found[0]["name"] == "n1"
    assert len(store.shown("thing", "nowhere")) == len(store.shown("other", "here")) == 0


def test_states_are_counted(store: Store) -> None:
    assert store.states("thing") == {"even": 8, "odd": 6}
    assert store.states("other") == {}


def test_what_is_noted_is_there_for_whoever_opens_the_file_next(store: Store, tmp_path: Path) -> None:
    store.note(Record("thing", "id-0", "here", {"status": "noted"}))
    assert store.count_up("number") == 1
    other = Store(tmp_path / "records.sqlite")  # as after a crash: the first one was never closed
    try:
        assert other.states("thing") == {"even": 7, "noted": 1, "odd": 6}
        assert other.count_up("number") == 2
    finally:
        other.close()
