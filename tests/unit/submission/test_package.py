"""A package is the same for the same files, and never larger than allowed."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from cai_deploy.submission.package import TooLarge, write_package


def files(root: Path) -> dict[str, Path]:
    (root / "a.py").write_text("print(1)")
    (root / "run.sh").write_text("#!/bin/sh")
    (root / "run.sh").chmod(0o755)
    return {"z/a.py": root / "a.py", "run.sh": root / "run.sh"}


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    given = files(tmp_path)
    assert write_package(given, first, budget=1) == 17
    os.utime(tmp_path / "a.py", (0, 0))
    write_package(dict(reversed(given.items())), second, budget=1)
    assert first.read_bytes() == second.read_bytes()
    (tmp_path / "a.py").write_text("print(2)")
    write_package(given, second, budget=1)
    assert first.read_bytes() != second.read_bytes()


def test_what_can_be_run_still_can(tmp_path: Path) -> None:
    target = tmp_path / "p.zip"
    write_package(files(tmp_path), target, budget=1)
    with zipfile.ZipFile(target) as package:
        assert package.namelist() == ["run.sh", "z/a.py"]
        assert [entry.external_attr >> 16 for entry in package.infolist()] == [0o755, 0o644]


def test_too_much_is_refused_with_the_largest_files(tmp_path: Path) -> None:
    given = {}
    for number in range(12):
        given[f"f{number}"] = tmp_path / f"f{number}"
        given[f"f{number}"].write_bytes(b"x" * (100_000 + number))
    target = tmp_path / "p.zip"
    with pytest.raises(TooLarge) as caught:
        write_package(given, target, budget=1)
    assert caught.value.what == "the working directory has 1.2 MB in 12 files, above 1 MB"
    told = [line.split()[-1] for line in caught.value.why.splitlines()[1:]]
    assert told == ["f11", "f10", "f9", "f8", "f7", "f6", "f5", "f4", "f3", "f2"]
    assert "--max-size 2" in caught.value.next_step
    assert not target.exists()


def test_no_budget_is_above_what_ray_takes(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(600_000_000)
    with pytest.raises(TooLarge, match="above 500 MB") as caught:
        write_package({"huge": huge}, tmp_path / "p.zip", budget=1000)
    assert "--max-size" not in caught.value.next_step
