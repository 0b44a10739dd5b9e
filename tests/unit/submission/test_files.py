"""Which files go along: what git would keep, no secrets, and links only as far as they lead within."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cai_deploy.submission.files import matches, select


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    return directory


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


def test_in_a_repository_it_is_what_git_tracks_or_would_track(root: Path) -> None:
    git(root, "init", "-q")
    write(root, "a.py", "sub/b.py", "gone.py", "data/big.bin", "new.py", "ignored/but/tracked.txt")
    (root / ".gitignore").write_text("data/\nignored/\n")
    git(root, "add", "a.py", "sub/b.py", "gone.py", ".gitignore")
    git(root, "add", "-f", "ignored/but/tracked.txt")
    (root / "gone.py").unlink()
    assert list(select(root).files) == [".gitignore", "a.py", "ignored/but/tracked.txt", "new.py", "sub/b.py"]


def test_a_directory_of_a_repository_is_not_the_whole_of_it(root: Path) -> None:
    git(root, "init", "-q")
    write(root, "a.py", "sub/b.py")
    assert list(select(root / "sub").files) == ["b.py"]


def test_a_repository_within_goes_along(root: Path) -> None:
    git(root, "init", "-q")
    write(root, "a.py", "inner/b.py", "inner/c.log")
    git(root / "inner", "init", "-q")
    (root / "inner/.gitignore").write_text("*.log\n")
    assert list(select(root).files) == ["a.py", "inner/.gitignore", "inner/b.py"]


def test_elsewhere_it_is_all_but_junk(root: Path) -> None:
    write(root, "a.py", "sub/b.txt", "__pycache__/a.pyc", "sub/.venv/x", "node_modules/x/y.js", "c.pyc", ".hidden")
    assert list(select(root).files) == [".hidden", "a.py", "sub/b.txt"]


@pytest.mark.parametrize(
    "secret", [".env", ".env.local", "conf/.env", "key.pem", ".aws/credentials", "id_rsa", "secrets.yaml", ".netrc"]
)
@pytest.mark.parametrize("in_git", [True, False])
def test_what_looks_like_a_secret_stays_and_is_told(root: Path, secret: str, in_git: bool) -> None:
    write(root, "a.py", secret)
    if in_git:
        git(root, "init", "-q")
        git(root, "add", "-f", secret)
    selected = select(root)
    assert (list(selected.files), selected.secrets) == (["a.py"], (secret,))
    assert set(select(root, include=[secret]).files) == {"a.py", secret}


def test_what_only_shows_how_is_no_secret(root: Path) -> None:
    write(root, ".env.example", "monkey.py", "keys.py")
    assert select(root).secrets == ()


def test_patterns_leave_out(root: Path) -> None:
    write(root, "a.py", "data/x/y.bin", "logs/z.log", "b.log")
    (root / ".rayignore").write_text("# not these\n*.log\n\n")
    assert list(select(root, exclude=["data/"]).files) == [".rayignore", "a.py"]


def test_links(root: Path, tmp_path: Path) -> None:
    write(root, "a.py", "sub/b.py", "sub/.env")
    write(tmp_path, "outside.txt")
    (root / "to-file").symlink_to("a.py")
    (root / "to-directory").symlink_to("sub")
    (root / "out").symlink_to(tmp_path / "outside.txt")
    (root / "out-directory").symlink_to("/etc")
    (root / "nowhere").symlink_to("missing")
    (root / "circle").symlink_to(".")
    (root / "sub" / "up").symlink_to("..")
    selected = select(root)
    assert list(selected.files) == ["a.py", "sub/b.py", "to-directory/b.py", "to-file"]
    assert selected.files["to-file"].read_text() == "a.py"
    assert selected.links == ("circle", "nowhere", "out", "out-directory", "sub/up")
    assert selected.secrets == ("sub/.env",)


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("a/b/c.py", "*.py", True),
        ("a/b/c.py", "b", True),
        ("a/b/c.py", "a/b", True),
        ("a/b/c.py", "/a/", True),
        ("a/b/c.py", "b/c.py", False),
        ("abc.py", "b", False),
    ],
)
def test_matches(name: str, pattern: str, expected: bool) -> None:
    assert matches(name, [pattern]) is expected
