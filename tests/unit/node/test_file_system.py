"""What makes a file system unfit for a database."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cai_deploy.node import file_system
from cai_deploy.node.file_system import why_unfit

HERE = "36 35 98:0 / {point} rw,noatime master:1 - {kind} server:/export {options}\n"


def mounts(tmp_path: Path, *lines: tuple[str, str, str]) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text("".join(HERE.format(point=point, kind=kind, options=options) for point, kind, options in lines))
    return file


def test_an_ordinary_directory_is_fit_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    assert why_unfit(tmp_path / "made/for/it") == ""
    assert not list((tmp_path / "made/for/it").iterdir())


@pytest.mark.parametrize(
    ("kind", "options", "unfit"),
    [
        ("nfs4", "rw,vers=4.1,local_lock=none", False),
        ("nfs", "rw,vers=3,nolock", True),
        ("nfs", "rw,vers=3,local_lock=all,addr=1.2.3.4", True),
        ("ext4", "rw,nolock", False),
    ],
)
def test_a_mount_whose_locks_are_its_own(tmp_path: Path, kind: str, options: str, unfit: bool) -> None:
    project = tmp_path / "a project"
    point = str(project).replace(" ", "\\040")
    other = (str(project / "not/here"), "nfs", "nolock")
    assert bool(why_unfit(project, mounts(tmp_path, ("/", "ext4", "rw"), (point, kind, options), other))) is unfit


def test_a_mount_over_another_counts(tmp_path: Path) -> None:
    assert why_unfit(tmp_path, mounts(tmp_path, ("/", "nfs", "nolock"), ("/", "ext4", "rw"))) == ""


def test_locks_that_exclude_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_system, "TRY_TO_LOCK", "")
    assert why_unfit(tmp_path) == "a lock does not keep another process out"


def test_locks_and_syncs_that_do_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    with monkeypatch.context() as patch:
        patch.setattr(file_system.fcntl, "lockf", refuse)
        assert why_unfit(tmp_path) == "OSError: [Errno 38] Function not implemented"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        assert "not implemented" in why_unfit(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "NotADirectoryError" in why_unfit(tmp_path / "file/below")
