"""Bringing a project's clone to a wanted commit.

Untracked files stay. Edits to tracked files are somebody's work inside the workspace, so they are named and not thrown
away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import shell
from cai_deploy.errors import CommandFailed, DeployError

FETCH_TIMEOUT = 600.0


@dataclass(frozen=True)
class SyncResult:
    """Where the clone is now, and whether it had to move."""

    commit: str
    changed: bool


def sync(root: Path, ref: str) -> SyncResult:
    """Bring the clone at ``root`` to ``ref``: a branch, a tag or a commit of its origin.

    Raises DeployError for local edits, a ref that the origin does not have, or an origin that does not answer.
    """
    before = _git(root, "rev-parse", "HEAD")
    if before == ref:
        return SyncResult(before, changed=False)
    wanted = _find(root, ref)
    if wanted == before:
        return SyncResult(before, changed=False)
    _refuse_local_edits(root)
    _git(root, "reset", "--quiet", "--hard", wanted)
    return SyncResult(wanted, changed=True)


def _find(root: Path, ref: str) -> str:
    """The commit behind ``ref``, fetched by name; a server may refuse that for a bare commit, so then everything."""
    try:
        _git(root, "fetch", "--quiet", "origin", ref)
        return _git(root, "rev-parse", "FETCH_HEAD^{commit}")
    except CommandFailed:
        try:
            _git(root, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
            return _git(root, "rev-parse", "--verify", f"{ref}^{{commit}}")
        except CommandFailed as error:
            raise DeployError(
                f"the project's origin has no {ref}",
                why=without_credentials(error.output_tail),
                next_step="push the commit first, or check project.git_ref",
            ) from error


def _refuse_local_edits(root: Path) -> None:
    edited = _git(root, "status", "--porcelain", "--untracked-files=no")
    if edited:
        raise DeployError(
            "files of the project were edited inside the workspace",
            why=edited,
            next_step="commit them or take them back in the project, then deploy again",
        )


def without_credentials(text: str) -> str:
    """``text`` with user names and tokens in URLs blanked out."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1***@", text)


def _git(root: Path, *arguments: str) -> str:
    return shell.run(["git", "-C", str(root), *arguments], timeout=FETCH_TIMEOUT).stdout.strip()
