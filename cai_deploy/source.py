"""The repository that a person stands in: what a project clones when the specification names no other.

Reads git through the shell seam and changes nothing. It must not know about projects or places; they decide whether a
directory or a remote URL is what they can clone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import shell
from cai_deploy.errors import CommandFailed

BRANCHES = "refs/heads/"


@dataclass(frozen=True)
class Source:
    """A checkout on this machine. ``remote`` is "" without an origin; ``branch`` is "" off every branch."""

    directory: Path
    remote: str
    branch: str
    commit: str


def find(directory: Path) -> Source | None:
    """The git checkout around ``directory``, or None outside of one (or without any commit)."""
    try:
        told = _git(directory, "rev-parse", "--show-toplevel", "HEAD", "--symbolic-full-name", "HEAD")
    except CommandFailed:
        return None
    top, commit, name = told.splitlines()
    return Source(
        directory=Path(top),
        remote=without_credentials(_optional(Path(top), "config", "--get", "remote.origin.url")),
        branch=name.removeprefix(BRANCHES) if name.startswith(BRANCHES) else "",
        commit=commit,
    )


def has_edits(here: Source) -> bool:
    """Whether files of the checkout differ from its commit. In a large one that takes git its time."""
    return bool(_git(here.directory, "status", "--porcelain", "--untracked-files=no"))


def read(here: Source, commit: str, path: str) -> str | None:
    """The text of a file at ``commit``: "" where there is no such file, None where the checkout lacks the commit."""
    try:
        return shell.run(["git", "-C", str(here.directory), "show", f"{commit}:{path}"]).stdout
    except CommandFailed:
        return "" if _optional(here.directory, "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}") else None


def resolve(url: str, ref: str, env: Mapping[str, str] | None = None) -> str:
    """The commit that ``ref`` (a branch, a tag, or a commit itself) means at ``url``, "" when it means none there.

    ``env`` are the variables under which git gets in.

    Raises CommandFailed when the repository does not answer.
    """
    if re.fullmatch(r"[0-9a-f]{40}", ref):
        return ref
    listed = shell.run(["git", "ls-remote", "--", url, ref, f"{ref}^{{}}"], env=env).stdout.splitlines()
    # an annotated tag is listed twice; the line that ends in ^{} names the commit behind the tag object
    commits = {name: commit for commit, _, name in (line.partition("\t") for line in listed)}
    peeled = next((commit for name, commit in commits.items() if name.endswith("^{}")), "")
    return peeled or next(iter(commits.values()), "")


def without_credentials(url: str) -> str:
    """``url`` without a user name or token in it."""
    return re.sub(r"^(https?://)[^/@]*@", r"\1", url)


def _git(directory: Path, *arguments: str) -> str:
    return shell.run(["git", "-C", str(directory), *arguments]).stdout.strip()


def _optional(directory: Path, *arguments: str) -> str:
    try:
        return _git(directory, *arguments)
    except CommandFailed:
        return ""
