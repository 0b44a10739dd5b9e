"""Bringing a clone to a commit, with real git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cai_deploy.errors import DeployError
from cai_deploy.project.checkout import SyncResult, opened, without_credentials


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    return subprocess.run(
        ["git", *identity, "-C", str(directory), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(directory: Path, text: str) -> str:
    (directory / "file").write_text(text)
    git(directory, "add", "file")
    git(directory, "commit", "-qm", text)
    return git(directory, "rev-parse", "HEAD")


def sync(root: Path, ref: str, *, force: bool = False) -> SyncResult:
    with opened(root, None, None) as clone:
        return clone.sync(ref, force=force)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    path = tmp_path / "origin"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    commit(path, "one")
    return path


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    path = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(origin), str(path))
    return path


def test_it_moves_to_a_new_commit_and_then_does_nothing(origin: Path, clone: Path) -> None:
    wanted = commit(origin, "two")
    assert sync(clone, wanted).changed
    assert (clone / "file").read_text() == "two"
    assert not sync(clone, wanted).changed


@pytest.mark.parametrize("ref", ["main", "v1", "side"])
def test_branches_and_tags(origin: Path, clone: Path, ref: str) -> None:
    git(origin, "checkout", "-q", "-b", "side")
    wanted = commit(origin, "two")
    git(origin, "tag", "-a", "-m", "annotated", "v1")
    git(origin, "branch", "-f", "main", "side")
    assert sync(clone, ref).commit == wanted


def branch(root: Path) -> str:
    with opened(root, None, None) as there:
        return there.branch()


def test_without_a_wish_it_follows_the_branch_that_it_is_on(origin: Path, clone: Path) -> None:
    assert branch(clone) == "main"
    git(clone, "checkout", "-q", "-b", "side")
    git(origin, "checkout", "-q", "-b", "side")
    wanted = commit(origin, "two")
    assert sync(clone, branch(clone)).commit == wanted
    git(clone, "checkout", "-q", "--detach")
    newest = commit(origin, "three")
    assert sync(clone, branch(clone)).commit == newest, "the default branch of its origin"


def test_it_goes_back_too(origin: Path, clone: Path) -> None:
    first = git(origin, "rev-parse", "HEAD")
    sync(clone, commit(origin, "two"))
    assert sync(clone, first).changed
    assert (clone / "file").read_text() == "one"


def test_untracked_files_stay(origin: Path, clone: Path) -> None:
    (clone / "results.csv").write_text("mine")
    sync(clone, commit(origin, "two"))
    assert (clone / "results.csv").read_text() == "mine"


def test_edits_are_named_and_not_thrown_away(origin: Path, clone: Path) -> None:
    wanted = commit(origin, "two")
    (clone / "file").write_text("edited in the workspace")
    with pytest.raises(DeployError) as caught:
        sync(clone, wanted)
    assert "file" in caught.value.why
    assert (clone / "file").read_text() == "edited in the workspace"


def test_a_commit_that_was_not_pushed(clone: Path) -> None:
    with pytest.raises(DeployError, match="could not be had from the project's origin"):
        sync(clone, "1234567890" * 4)


def test_credentials_are_blanked_out() -> None:
    assert without_credentials("fatal: https://u:t0ken@h/x.git denied") == "fatal: https://***@h/x.git denied"


@pytest.mark.parametrize("ref", ["-x", "--upload-pack=touch /tmp/x"])
def test_a_ref_is_never_an_option(clone: Path, ref: str) -> None:
    with pytest.raises(DeployError, match="no branch, tag or commit"):
        sync(clone, ref)


@pytest.mark.parametrize(("ref", "stands_on"), [("HEAD", "main"), ("main", "main"), ("side", "side"), ("v1", "HEAD")])
def test_a_clone_is_begun_beside_what_is_there(origin: Path, tmp_path: Path, ref: str, stands_on: str) -> None:
    git(origin, "branch", "side")
    git(origin, "tag", "-a", "-m", "annotated", "v1")
    wanted = git(origin, "rev-parse", "HEAD")
    project = tmp_path / "project"
    (project / ".cai-deploy").mkdir(parents=True)
    (project / ".cai-deploy/note").write_text("ours")
    with opened(project, str(origin), None) as clone:
        assert clone.sync(ref) == SyncResult(wanted, changed=True)
        assert clone.branch() == stands_on
        assert not clone.sync(ref).changed
    assert (project / "file").read_text() == "one"
    assert (project / ".cai-deploy/note").read_text() == "ours"


def test_a_clone_whose_begin_was_cut_off_is_begun_again(origin: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    git(tmp_path, "init", "-q", str(project))
    with opened(project, str(origin), None) as clone:
        assert clone.sync("main").changed
    assert (project / "file").read_text() == "one"


def test_a_project_without_a_repository_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="this project has no repository"):
        sync(tmp_path, "main")
