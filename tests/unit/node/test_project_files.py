"""Which files of a project are told, and which are nobody's business."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cai_deploy.node.project_files import LARGEST, MOST_PATHS, read_many, read_text
from cai_deploy.node.web.body import Refused


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "requirements").mkdir(parents=True)
    write(root / "requirements/cluster.txt", b"ray==2.60.0\n")
    write(tmp_path / "outside.txt", b"outside")
    return root


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def test_many_files_in_one_answer(project: Path) -> None:
    write(project / "half.txt", b"caf\xe9")
    write(project / "full.txt", b"x" * LARGEST)
    write(project / "above.txt", b"x" * (LARGEST + 1))
    (project / "within").symlink_to("requirements/cluster.txt")
    paths = ["requirements/cluster.txt", "./half.txt", "within", "above.txt", "missing"]
    assert read_many(project, {"paths": paths}) == {
        "files": {
            "requirements/cluster.txt": "ray==2.60.0\n",
            "./half.txt": "caf\ufffd",
            "within": "ray==2.60.0\n",
            "above.txt": None,
            "missing": None,
        }
    }
    assert len(read_text(project, "full.txt") or "") == LARGEST


@pytest.mark.parametrize(
    "path",
    [
        *("", ".", "requirements", "requirements/cluster.txt/x", "~/x", "a\0b", "x" * 5000),
        *("/etc/passwd", "../outside.txt", "requirements/../requirements/cluster.txt"),
        *("out", "outdir/outside.txt", "circle", "pipe"),
    ],
)
def test_what_is_no_file_of_the_project(project: Path, path: str) -> None:
    (project / "out").symlink_to(project.parent / "outside.txt")
    (project / "outdir").symlink_to(project.parent)
    (project / "circle").symlink_to("circle")
    os.mkfifo(project / "pipe", 0o644)
    assert read_text(project, path) is None


def test_what_is_closed_to_others_is_a_secret(project: Path) -> None:
    for mode, told in ((0o600, None), (0o400, None), (0o711, None), (0o640, "x"), (0o604, "x")):
        write(project / "file", b"x", mode)
        assert read_text(project, "file") == told, oct(mode)
    (project / ".ssh").mkdir()
    write(project / ".ssh/config", b"x")
    (project / ".ssh").chmod(0o700)
    assert read_text(project, ".ssh/config") is None, "nobody else could open it either"
    project.chmod(0o700)
    assert read_text(project, "requirements/cluster.txt"), "the project itself is what we were asked about"


@pytest.mark.parametrize("body", [None, {}, {"paths": "a"}, {"paths": [1]}, {"paths": ["a"] * (MOST_PATHS + 1)}])
def test_what_is_no_request(project: Path, body: Any) -> None:
    with pytest.raises(Refused) as refused:
        read_many(project, body)
    assert refused.value.status == 400
