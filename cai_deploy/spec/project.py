"""What a cluster runs from: the project with its repository, and the environment that is built there."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from cai_deploy.git_access import Kind, misfit
from cai_deploy.spec.part import Part

DEFAULT_LOCK = "requirements/cluster.txt"
"""Where a repository may have its lock file without a word about it; one that has none there uses ours."""

ENVIRONMENT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,99}$"


class Project(Part):
    """The CML project and the repository in it. ``git_url`` defaults to the repository you stand in.

    A private repository is opened by ``git_key_file``, a file of yours, or by the token in your variable
    ``git_token_env``; neither is ever a part of the specification. Scripts and the lock file are looked for in
    ``directory``.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)] = "ray"
    git_url: str | None = None
    git_ref: str | None = None
    git_key_file: str | None = None
    git_token_env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    directory: str | None = None

    @field_validator("git_url")
    @classmethod
    def _no_credentials(cls, url: str | None) -> str | None:
        if url and re.match(r"https?://[^/]*@", url):
            raise ValueError("a URL must not carry a user name or token: the platform shows it to everybody")
        return url

    @field_validator("directory")
    @classmethod
    def _within(cls, directory: str | None) -> str | None:
        if directory and (directory.startswith("/") or ".." in PurePosixPath(directory).parts):
            raise ValueError("must be a directory of the repository, as a path from its top")
        return directory

    @model_validator(mode="after")
    def _one_way_in(self) -> Project:
        if self.git_key_file and self.git_token_env:
            raise ValueError("git_key_file and git_token_env are two ways in: choose one")
        if self.opened_by and self.git_url and (wrong := misfit(self.opened_by, self.git_url)):
            raise ValueError(f"git_url: {wrong}")
        return self

    @property
    def opened_by(self) -> Kind | None:
        """What opens a private repository, None for what everybody (or the platform itself) can clone."""
        if self.git_key_file:
            return "key"
        return "token" if self.git_token_env else None

    def path(self, path: str) -> str:
        """``path`` below ``directory``, from the repository's top."""
        return PurePosixPath(self.directory or "", path).as_posix()


class Environment(Part):
    """The locked requirements that every node runs on, as a path in the repository.

    ``pinned`` names a built environment for each group instead, as a specification to roll back to does.
    """

    requirements: str = DEFAULT_LOCK
    pinned: dict[str, Annotated[str, StringConstraints(pattern=ENVIRONMENT_PATTERN)]] = Field(default_factory=dict)
