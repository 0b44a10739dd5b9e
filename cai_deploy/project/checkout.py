"""Bringing a project's clone to a wanted commit, or beginning one where the workspace could not.

Untracked files stay. Edits to tracked files are somebody's work inside the workspace, so they are named and not thrown
away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import git_access, shell
from cai_deploy.errors import CommandFailed, DeployError
from cai_deploy.git_access import GitAccess
from cai_deploy.redaction import without_credentials

FETCH_TIMEOUT = 600.0
DEFAULT = "HEAD"
"""By which an origin means the branch that it begins with."""


@dataclass(frozen=True)
class SyncResult:
    """Where the clone is now, and whether it had to move."""

    commit: str
    changed: bool


@dataclass(frozen=True)
class Clone:
    """The clone at ``root``. ``env`` are the variables under which git gets into its origin."""

    root: Path
    env: Mapping[str, str]

    def sync(self, ref: str, *, force: bool = False) -> SyncResult:
        """Bring it to ``ref``: a branch, a tag or a commit of its origin.

        ``force`` throws local edits to tracked files away.

        Raises DeployError for local edits, a ref that the origin does not have, or an origin that does not answer.
        """
        before = self.commit()
        if before == ref:
            return SyncResult(before, changed=False)
        wanted = self._find(ref)
        if wanted == before:
            return SyncResult(before, changed=False)
        if before and not force:
            self._refuse_local_edits()
        if not before:
            self._stand_on(ref, wanted)
        self._git("reset", "--quiet", "--hard", wanted)
        return SyncResult(wanted, changed=True)

    def begin(self, url: str) -> None:
        """Have ``url`` as origin: of a new clone where there is none."""
        self._git("init", "--quiet", ".")
        known = self._git("remote").split()
        self._git("remote", *(("set-url", "origin") if "origin" in known else ("add", "origin")), url)

    def commit(self) -> str:
        """Where it is, "" before its first commit has been fetched."""
        try:
            return self._git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        except CommandFailed:
            return ""

    def branch(self) -> str:
        """The branch that it is on; where it is on none HEAD, by which its origin means its default."""
        return self._git("rev-parse", "--abbrev-ref", "HEAD")

    def _stand_on(self, ref: str, commit: str) -> None:
        """Before the first commit: on the branch that ``ref`` names, or on none where it names another thing."""
        listed = self._git("ls-remote", "--symref", "origin", DEFAULT, f"refs/heads/{ref}")
        default = re.search(r"^ref: (refs/heads/\S+)\tHEAD$", listed, re.MULTILINE)
        if ref == DEFAULT and default:
            self._git("symbolic-ref", "HEAD", default.group(1))
        elif f"\trefs/heads/{ref}" in listed:
            self._git("symbolic-ref", "HEAD", f"refs/heads/{ref}")
        else:
            self._git("update-ref", "--no-deref", "HEAD", commit)

    def _find(self, ref: str) -> str:
        """The commit behind ``ref``, fetched by name; a server may refuse that for a bare commit, so then all of it."""
        if ref.startswith("-"):
            raise DeployError(f"{ref!r} is no branch, tag or commit", next_step="check project.git_ref")
        try:
            self._git("fetch", "--quiet", "origin", ref)
            return self._git("rev-parse", "FETCH_HEAD^{commit}")
        except CommandFailed as error:
            refused = error
        try:
            if re.fullmatch(r"[0-9a-f]{7,64}", ref):  # a name would be looked up among stale local branches too
                self._git("fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
                return self._git("rev-parse", "--verify", f"{ref}^{{commit}}")
        except CommandFailed as error:
            refused = error
        raise DeployError(
            f"{ref} could not be had from the project's origin",
            why=refused.output_tail,
            next_step="push the commit first, or check project.git_ref and the project's access to the repository",
        )

    def _refuse_local_edits(self) -> None:
        edited = self._git("status", "--porcelain", "--untracked-files=no")
        if edited:
            raise DeployError(
                "files of the project were edited inside the workspace",
                why=edited,
                next_step="commit them or take them back in the project, then deploy again",
            )

    def _git(self, *arguments: str) -> str:
        try:
            command = ["git", "-C", str(self.root), *arguments]
            return shell.run(command, env=self.env, timeout=FETCH_TIMEOUT).stdout.strip()
        except CommandFailed as error:
            told = f"git {arguments[0]}"
            raise CommandFailed(told, error.status, without_credentials(error.output_tail)) from None


@contextmanager
def opened(root: Path, url: str | None, access: GitAccess | None) -> Iterator[Clone]:
    """The project's clone, which ``access`` opens; begun with ``url`` as its origin if that is given.

    Raises DeployError where there is none and none can be begun.
    """
    if url is None and not (root / ".git").exists():
        raise DeployError(
            "this project has no repository", next_step="set project.git_url, and launch once from outside"
        )
    with git_access.environment(url or _origin(root), access) as env:
        clone = Clone(root, env)
        if url is not None:
            clone.begin(url)
        yield clone


def _origin(root: Path) -> str:
    try:
        return shell.run(["git", "-C", str(root), "config", "--get", "remote.origin.url"]).stdout.strip()
    except CommandFailed:
        return ""
