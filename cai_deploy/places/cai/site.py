"""What a project is made from: the repository that a specification names, or the one that a person stands in.

It asks git what a branch or a tag means where that has to be known before anything is planned, and holds what opens a
private repository as a value that no text shows.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cai_deploy import git_access, source
from cai_deploy.errors import CommandFailed, ConfigError
from cai_deploy.git_access import GitAccess, Kind, misfit
from cai_deploy.source import Source
from cai_deploy.spec import Project

COMMIT = re.compile(r"[0-9a-f]{40}")
KNOWN_HOSTS = Path("~/.ssh/known_hosts")


@dataclass(frozen=True)
class Credential:
    """What opens a private repository. ``secret`` is "" where it is not at hand, for the reason ``missing``."""

    kind: Kind
    secret: str = field(default="", repr=False)
    missing: str = ""


@dataclass(frozen=True)
class Site:
    """Where it all goes: the workspace, and what its project clones.

    ``git_url`` is "" for a project without a repository, unless ``unclonable`` is a checkout of which the workspace
    cannot have a clone. ``commit`` is "" when the code is to be left as it stands in the project. With a ``credential``
    a job of ours makes the clone, as the workspace has no way in. ``own_job`` is the job of the project of which this
    process is a run, "" for none. ``lock`` is the text of the lock file at ``commit``: "" where there is none, None
    where that cannot be told from here.
    """

    host: str
    git_url: str
    git_ref: str = ""
    commit: str = ""
    unclonable: str = ""
    credential: Credential | None = None
    own_job: str = ""
    lock: str | None = None


def is_this_machine(host: str) -> bool:
    """Whether a workspace runs here, and so can clone a directory."""
    return host.startswith(("http://localhost:", "http://127."))


def site_of(project: Project, here: Source | None, host: str, *, sync_code: bool, environ: Mapping[str, str]) -> Site:
    """The site of ``project`` at the workspace ``host``, for a person in the checkout ``here``.

    Raises ConfigError when the newest commit is asked for (``sync_code``) and the repository does not tell it.
    """
    credential = _credential(project, environ)
    if project.git_url:
        url, ref = project.git_url, project.git_ref or ""
    else:
        local = here is not None and is_this_machine(host) and credential is None
        url = (str(here.directory) if local else here.remote) if here else ""
        ref = project.git_ref or (here.branch if here else "")
    if credential and url and (wrong := misfit(credential.kind, url)):
        raise ConfigError(f"project.git_url: {wrong}", why=f"this checkout's origin is {url}")
    unclonable = str(here.directory) if here and not url else ""
    if COMMIT.fullmatch(ref):
        return Site(host, url, "", ref, unclonable, credential)
    if not sync_code or not url:
        return Site(host, url, ref, "", unclonable, credential)
    if here and not project.git_url and not project.git_ref:
        return Site(host, url, ref, here.commit, unclonable, credential)
    return Site(host, url, ref, _resolve(url, ref or "HEAD", credential), unclonable, credential)


def _credential(project: Project, environ: Mapping[str, str]) -> Credential | None:
    if project.git_key_file:
        try:
            return Credential("key", Path(project.git_key_file).expanduser().read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            return Credential("key", missing=f"project.git_key_file: {project.git_key_file} cannot be read ({error})")
    if project.git_token_env:
        token = environ.get(project.git_token_env, "").strip()
        return Credential("token", token, "" if token else f"project.git_token_env: {project.git_token_env} is not set")
    return None


def _resolve(url: str, ref: str, credential: Credential | None) -> str:
    with _laid_open(credential) as access, git_access.environment(url, access, os.environ) as env:
        try:
            commit = source.resolve(url, ref, env)
        except CommandFailed as error:
            raise ConfigError(
                f"project.git_url: {url} does not say which commit {ref} is",
                why=error.output_tail,
                next_step="check the address; a private repository needs project.git_key_file or project.git_token_env",
            ) from error
    if not commit:
        raise ConfigError(
            f"project.git_ref: {url} has no branch or tag {ref}", next_step="push it first, or correct it"
        )
    return commit


@contextmanager
def _laid_open(credential: Credential | None) -> Iterator[GitAccess | None]:
    """The secret as a file of ours that nobody else can read, for git on this machine, and only so long."""
    if credential is None or not credential.secret:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="cai-deploy-") as scratch:
        file = Path(scratch) / credential.kind
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as writing:
            writing.write(credential.secret)
        yield GitAccess(credential.kind, file, KNOWN_HOSTS.expanduser())
