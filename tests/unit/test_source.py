"""What a checkout says of itself, read from real git."""

from __future__ import annotations

from pathlib import Path

from cai_deploy import source
from tests.e2e.conftest import git


def make_checkout(directory: Path) -> Path:
    directory.mkdir()
    git(directory, "init", "-q", "-b", "feature/fast")
    (directory / "file").write_text("one")
    git(directory, "add", ".")
    git(directory, "commit", "-qm", "one")
    return directory


def test_a_checkout_is_known_from_any_directory_in_it(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    git(checkout, "remote", "add", "origin", "https://me:secret@example.com/mine.git")
    (checkout / "inside").mkdir()
    found = source.find(checkout / "inside")
    commit = git(checkout, "rev-parse", "HEAD").strip()
    assert found == source.Source(checkout, "https://example.com/mine.git", "feature/fast", commit)


def test_off_every_branch_there_is_none(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    git(checkout, "checkout", "-q", "--detach")
    found = source.find(checkout)
    assert found
    assert (found.branch, found.remote) == ("", "")


def test_what_has_no_commit_is_no_checkout(tmp_path: Path) -> None:
    assert source.find(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert source.find(tmp_path) is None


def test_edits_are_those_of_files_that_git_knows(tmp_path: Path) -> None:
    found = source.find(make_checkout(tmp_path / "checkout"))
    assert found
    (found.directory / "new").write_text("two")
    assert not source.has_edits(found)
    (found.directory / "file").write_text("two")
    assert source.has_edits(found)


def test_a_file_at_a_commit_and_one_that_is_not_there_and_a_commit_that_is_not_there(tmp_path: Path) -> None:
    found = source.find(make_checkout(tmp_path / "checkout"))
    assert found
    (found.directory / "file").write_text("two")
    assert source.read(found, found.commit, "file") == "one"
    assert source.read(found, found.commit, "other") == ""
    assert source.read(found, "a" * 40, "file") is None
