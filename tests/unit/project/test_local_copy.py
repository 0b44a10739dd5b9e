"""A copy of an environment: packed, fetched, run from, and taken away; and every reason for doing without one."""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.project import local_copy, packing, promptness
from cai_deploy.project.local_copy import at_hand
from cai_deploy.project.packing import CopyNote, pack, pack_where_slow

SHARED = Path("/dev/shm")
AS_IF_FAR = 10**8


@pytest.fixture
def environment() -> Iterator[Path]:
    """An environment with one module and one program, on another file system than the tests' own directories."""
    root = Path(tempfile.mkdtemp(dir=SHARED))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / "env"], check=True)
    packages = next((root / "env").glob("lib/python3*/site-packages"))
    (packages / "mine.py").write_text("WHERE = __file__\n")
    (packages / "mine-1.dist-info").mkdir()
    (packages / "mine-1.dist-info" / "RECORD").touch()
    os.utime(packages / "mine.py", (1_000_000_000, 1_000_000_000))
    py_compile.compile(str(packages / "mine.py"), doraise=True)
    program = root / "env" / "bin" / "mine"
    program.write_text(f"#!{root}/env/bin/python\nimport mine, sys\nprint(mine.WHERE, sys.prefix)\n")
    program.chmod(0o755)
    yield root / "env"
    shutil.rmtree(root)


@pytest.fixture
def own_disk(tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine's temporary files are."""
    if local_copy.kind_of(tmp_path) == local_copy.kind_of(environment):
        pytest.skip("needs a temporary directory that is not in memory")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def far(environment: Path, own_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment with its archive, where each open counts as if it took long."""
    monkeypatch.setattr(promptness, "OPENS_IN_A_ROW", AS_IF_FAR)
    assert pack_where_slow(environment)
    return environment


def left(own_disk: Path) -> list[Path]:
    return [path for path in own_disk.rglob("*") if not path.is_dir()]


def test_where_files_are_near_nothing_is_packed_and_nothing_copied(environment: Path, own_disk: Path) -> None:
    assert not pack_where_slow(environment)
    assert CopyNote.load(environment) is None
    pack(environment)
    told: list[str] = []
    with at_hand(environment, told.append, lambda: False) as found:
        assert found == environment
    assert told == []


def test_programs_run_from_the_copy_with_their_bytecode(far: Path, own_disk: Path) -> None:
    told: list[str] = []
    with at_hand(far, told.append, lambda: False) as found:
        assert found.is_relative_to(own_disk)
        ran = subprocess.run([found / "bin" / "mine"], capture_output=True, text=True, check=True)
        where, prefix = ran.stdout.split()
        assert Path(where).is_relative_to(found)
        assert prefix == str(found)
        source = Path(where)
        assert source.stat().st_mtime == 1_000_000_000
        verbose = subprocess.run(
            [found / "bin" / "python", "-v", "-c", "import mine"], capture_output=True, text=True, check=True
        )
        assert f"matches {source}" in verbose.stderr, "its bytecode counts"
        assert not (found / layout.COPY_ARCHIVE).exists()
    assert told[0].startswith("running from a copy of the environment, here after")
    assert left(own_disk) == []


def test_equal_environments_have_equal_digests(environment: Path) -> None:
    pack(environment)
    first = CopyNote.load(environment)
    pack(environment)
    assert CopyNote.load(environment) == first
    next(environment.glob("lib/python3*/site-packages/mine.py")).write_text("WHERE = None\n")
    pack(environment)
    assert CopyNote.load(environment) != first


def reason(environment: Path, own_disk: Path, *, stopped: bool = False) -> str:
    """What is told where there is no copy, and nothing is left of one."""
    told: list[str] = []
    with at_hand(environment, told.append, lambda: stopped) as found:
        assert found == environment
    assert left(own_disk) == []
    assert len(told) == 1
    assert told[0].endswith("; starting from the shared one, which is slow here")
    return told[0].removeprefix("no copy of the environment on this machine: ")


def test_no_copy_without_room(far: Path, own_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_copy, "ROOM", 10**18)
    assert "GB left, and it takes 1000000000.0 GB" in reason(far, own_disk)


def test_no_copy_in_memory(far: Path, own_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / " + str(own_disk) + " rw - tmpfs tmpfs rw\n")
    monkeypatch.setattr(local_copy, "MOUNTS", mounts)
    told: list[str] = []
    with at_hand(far, told.append, lambda: False) as found:
        assert found == far
    assert "is in memory, which is the node's" in told[0]


def test_no_copy_onto_the_same_file_system(far: Path, own_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(far.parent))
    assert "is on the same file system" in reason(far, own_disk)


def test_no_copy_of_an_archive_that_was_cut_off(far: Path, own_disk: Path) -> None:
    archive = far / layout.COPY_ARCHIVE
    with archive.open("r+b") as file:
        file.truncate(archive.stat().st_size // 2)
    assert "unexpected end of data" in reason(far, own_disk)


def test_no_copy_of_an_archive_that_lacks_files(far: Path, own_disk: Path) -> None:
    with tarfile.open(far / layout.COPY_ARCHIVE, "w") as archive:
        archive.add(far / "bin", "bin", recursive=False)
    assert "its archive holds 0 bytes instead of" in reason(far, own_disk)


def test_an_archive_that_cannot_be_written_fails_nothing(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promptness, "OPENS_IN_A_ROW", AS_IF_FAR)
    (environment / layout.COPY_NOTE).mkdir()  # nothing can be put in its place
    told = pack_where_slow(environment)
    assert "an archive for nodes to copy could not be written" in told
    assert not (environment / layout.COPY_ARCHIVE).exists()


def test_no_copy_for_a_node_that_is_to_stop(far: Path, own_disk: Path) -> None:
    assert "the node is to stop" in reason(far, own_disk, stopped=True)


def test_no_copy_that_takes_longer_than_it_saves(far: Path, own_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promptness, "OPENS_IN_A_ROW", 1)
    monkeypatch.setattr(promptness, "WORTH_A_COPY", 0.0)
    assert "which is what it would have saved" in reason(far, own_disk)


def test_more_files_than_are_read_at_once(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "READERS", 2)
    pack(environment)
    note = CopyNote.load(environment)
    assert note
    assert note.bytes == sum(
        path.stat().st_size
        for path in environment.rglob("*")
        if path.is_file() and not path.is_symlink() and path.name not in packing.OURS
    )
