"""How git gets into a private repository: with a key or a token that stands in a file closed to others.

Neither is in an address, an argument, a setting of git, or a variable: git is told of a file, or of a program that
reads it. Standard library only: the deployer uses this on a person's machine, and a job inside the workspace.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

Kind = Literal["key", "token"]

USER = "x-access-token"
"""The user name beside a token; those who give tokens out do not ask for another."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")

SILENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", "GCM_INTERACTIVE": "never"}
"""Nobody is there to be asked: without what opens it, git is to fail, and soon."""

NO_HELPER = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": ""}
"""A helper of git would write down what it has heard."""

SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20")


@dataclass(frozen=True)
class GitAccess:
    """A key or a token in ``file``; ``known_hosts`` keeps the keys of the hosts that a key was used with."""

    kind: Kind
    file: Path
    known_hosts: Path

    def story(self) -> str:
        """How git gets in, for people."""
        if self.kind == "token":
            return "git uses the token of this project"
        return "git uses the key of this project; what a new host says it is gets believed and kept (accept-new)"


def find(directory: Path) -> GitAccess | None:
    """What stands in ``directory``, closed to others from now on; None for nothing."""
    for kind in get_args(Kind):
        access = GitAccess(kind, directory / kind, directory / "known_hosts")
        if access.file.is_file():
            close_to_others(access)
            return access
    return None


def misfit(kind: Kind, url: str) -> str:
    """Why what is of this ``kind`` does not open ``url``, "" when it may."""
    web = urlsplit(url)
    if kind == "key":
        return (
            "a key opens addresses of ssh alone (git@HOST:PATH, ssh://...)" if web.scheme in ("http", "https") else ""
        )
    if web.scheme == "https" or (web.scheme == "http" and web.hostname in LOOPBACK):
        return ""
    return "a token is sent to https addresses alone: on any other way others could read it"


@contextlib.contextmanager
def environment(url: str, access: GitAccess | None, outer: Mapping[str, str] = os.environ) -> Iterator[dict[str, str]]:
    """The variables under which git gets into ``url``, as long as the context lasts; nobody is ever asked."""
    base = {**outer, **SILENT}
    if access is None:
        yield base
    elif access.kind == "key":
        yield {**base, "GIT_SSH_COMMAND": shlex.join(_ssh(access))}
    else:
        with tempfile.TemporaryDirectory(prefix="git-") as scratch:
            program = Path(scratch) / "answer"
            program.write_text(_answer(url, access.file), encoding="utf-8")
            program.chmod(stat.S_IRWXU)
            yield {**base, "GIT_ASKPASS": str(program), **NO_HELPER}


def close_to_others(access: GitAccess) -> None:
    """Nobody but its owner may read the file, and ssh takes no key that others can."""
    access.file.parent.chmod(stat.S_IRWXU)
    access.file.chmod(stat.S_IRUSR | stat.S_IWUSR)


def host_of(url: str) -> str:
    """Where ``url`` leads to, in both forms that git knows."""
    named = re.fullmatch(r"(?:[^@/]+@)?([^:/]+):(?!//).*", url)
    return named.group(1) if named else urlsplit(url).hostname or ""


def _ssh(access: GitAccess) -> list[str]:
    options = {
        "IdentityFile": str(access.file),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": str(access.known_hosts),
        # A host that is met for the first time is believed, as nobody is there to compare; never one that changed.
        "StrictHostKeyChecking": "accept-new",
    }
    return [*SSH, "-F", os.devnull, *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]


def _answer(url: str, file: Path) -> str:
    """A program that git asks for a user and a password. Another host than the repository's is told nothing."""
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    return f"""#!/bin/sh
case "$1" in
  "Username for "{_quoted(f"{parts.scheme}://{place}")}*) echo {USER} ;;
  "Password for "{_quoted(f"{parts.scheme}://{USER}@{place}")}*) cat {shlex.quote(str(file))} ;;
  *) exit 1 ;;
esac
"""


def _quoted(address: str) -> str:
    """``address`` as git writes it into a question, with the quotes around it."""
    return shlex.quote(f"'{address}'")
