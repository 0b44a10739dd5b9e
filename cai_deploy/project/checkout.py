"""Bringing a project's clone to a wanted commit.

Untracked files stay. Edits to tracked files are somebody's work inside the workspace, so they are named and not thrown
away.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import shell
from cai_deploy.errors import CommandFailed, DeployError
from cai_deploy.redaction import without_credentials

FETCH_TIMEOUT = 600.0


@dataclass(frozen=True)
class SyncResult:
    """Where the clone is now, and whether it had to move."""

    commit: str
    changed: bool


def sync(root: Path, ref: str, *, force: bool = False) -> SyncResult:
    """Bring the clone at ``root`` to ``ref``: a branch, a tag or a commit of its origin.

    ``force`` throws local edits to tracked files away.

    Raises DeployError for local edits, a ref that the origin does not have, or an origin that does not answer.
    """
    before = _git(root, "rev-parse", "HEAD")
    if before == ref:
        return SyncResult(before, changed=False)
    wanted = _find(root, ref)
    if wanted == before:
        return SyncResult(before, changed=False)
    if not force:
        _refuse_local_edits(root)
    _git(root, "reset", "--quiet", "--hard", wanted)
    return SyncResult(wanted, changed=True)


def _find(root: Path, ref: str) -> str:
    """The commit behind ``ref``, fetched by name; a server may refuse that for a bare commit, so then everything."""
    if ref.startswith("-"):
        raise DeployError(f"{ref!r} is no branch, tag or commit", next_step="check project.git_ref")
    try:
        _git(root, "fetch", "--quiet", "origin", ref)
        return _git(root, "rev-parse", "FETCH_HEAD^{commit}")
    except CommandFailed as error:
        refused = error
    try:
        if re.fullmatch(r"[0-9a-f]{7,64}", ref):  # a name would be looked up among stale local branches too
            _git(root, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
            return _git(root, "rev-parse", "--verify", f"{ref}^{{commit}}")
    except CommandFailed as error:
        refused = error
    raise DeployError(
        f"{ref} could not be had from the project's origin",
        why=refused.output_tail,
        next_step="push the commit first, or check project.git_ref and the project's access to the repository",
    )


def _refuse_local_edits(root: Path) -> None:
    edited = _git(root, "status", "--porcelain", "--untracked-files=no")
    if edited:
        raise DeployError(
            "files of the project were edited inside the workspace",
            why=edited,
            next_step="commit them or take them back in the project, then deploy again",
        )


def _git(root: Path, *arguments: str) -> str:
    try:
        return shell.run(["git", "-C", str(root), *arguments], env=_environment(), timeout=FETCH_TIMEOUT).stdout.strip()
    except CommandFailed as error:
        command = f"git {arguments[0]}"
        raise CommandFailed(command, error.status, without_credentials(error.output_tail)) from None


def _environment() -> dict[str, str]:
    """Nobody is there to type a password: git is to fail, not to wait for one."""
    return {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
