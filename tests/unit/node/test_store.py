"""Where the GCS's state is kept, and which state is set aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from cai_deploy.node import store
from cai_deploy.node.store import GcsStore

FATAL = "[2026-11-21 08:41:41,990 C 5 5] (gcs_server) rocksdb_store_client.cc:179:  Check failed: "
CORRUPT = FATAL + "Failed to open RocksDB at /p/tables: Corruption: no last_sequence entry in MANIFEST\n"
FULL = FATAL + "RocksDB Put failed for table=KV: IO error: No space left on device: While appending to file\n"
MISSING = FATAL + "Failed to open RocksDB at /p/kv: IO error: No such file or directory: /p/kv/MANIFEST\n"


class Kept:
    """A store in a directory, and what was told of it."""

    def __init__(self, root: Path, writer: str = "Ray 2.60.0 on Python 3.11") -> None:
        self.root = root
        self.told: list[str] = []
        self.store = GcsStore(root / "gcs", writer, self.told.append)

    def open(self) -> Path:
        variables = self.store.open()
        assert variables["RAY_gcs_storage"] == "rocksdb"
        return Path(variables["RAY_gcs_storage_path"])

    def died(self, log: str) -> None:
        logs = self.root / "temp/session_2026-11-21_08-53-22_380154_1/logs"
        logs.mkdir(parents=True, exist_ok=True)
        (logs / "gcs_server.err").write_text(log)
        self.store.died(self.root / "temp")

    def aside(self) -> list[Path]:
        return sorted((self.root / "gcs").glob("store.aside.*"))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    kept = Kept(tmp_path)
    (kept.open() / "session_name").write_text("session_1")
    return kept


def test_the_next_head_finds_what_was_kept(kept: Kept) -> None:
    again = Kept(kept.root)
    assert (again.open() / "session_name").read_text() == "session_1"
    assert again.told == []
    assert again.store.shared
    assert (kept.root / "gcs").stat().st_mode & 0o777 == 0o700, "it may hold secrets"
    again.store.close()
    assert (again.open() / "session_name").exists()


def test_what_another_version_wrote_is_set_aside(kept: Kept) -> None:
    newer = Kept(kept.root, "Ray 2.61.0 on Python 3.11")
    assert list(newer.open().iterdir()) == []
    assert (newer.aside()[0] / "session_name").exists()
    assert "Ray 2.60.0 on Python 3.11 wrote it, and this is Ray 2.61.0 on Python 3.11" in newer.told[0]
    (kept.root / "gcs/writer").unlink()
    Kept(kept.root).open()
    assert len(kept.aside()) == 2


@pytest.mark.parametrize("log", [CORRUPT, MISSING])
def test_a_store_that_cannot_be_opened_is_set_aside(kept: Kept, log: str) -> None:
    kept.died(log)
    assert "it cannot be opened" in kept.told[0]
    assert list(kept.open().iterdir()) == []


def test_one_that_the_gcs_dies_of_in_silence_is_set_aside_in_the_end(kept: Kept) -> None:
    kept.died("")
    kept.died("")
    kept.store.answered()
    kept.died("Check failed: something else")
    kept.died("")
    assert kept.aside() == []
    kept.died("")
    assert len(kept.aside()) == 1


def test_a_full_disk_says_nothing_against_the_store(kept: Kept) -> None:
    for _ in range(5):
        kept.died(FULL)
    assert kept.aside() == []
    assert "No space left" in kept.told[0]


def test_of_those_set_aside_the_last_ones_stay(kept: Kept) -> None:
    for number in range(4):
        (kept.open() / "session_name").write_text(str(number))
        kept.died(CORRUPT)
    assert [(path / "session_name").read_text() for path in kept.aside()] == ["2", "3"]


def test_on_an_unfit_file_system_it_is_the_pods_own_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "why_unfit", lambda directory: "locks do not work")
    kept = Kept(tmp_path)
    database = kept.open()
    assert not kept.store.shared
    assert not database.is_relative_to(tmp_path)
    assert "locks do not work" in kept.told[0]
    assert "detached ones too" in kept.told[0]
    (database / "session_name").write_text("1")
    assert (kept.open() / "session_name").exists(), "it outlives Ray, though not the pod"
    kept.store.close()
    assert not database.exists()
