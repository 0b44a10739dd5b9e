"""Which files of a working directory go along with a job: what git would keep, without what looks like a secret."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from cai_deploy import shell
from cai_deploy.errors import CommandFailed

JUNK = (
    *(".git", ".hg", ".svn", "__pycache__", ".venv", "venv", "node_modules", ".tox", ".nox", ".eggs"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints", ".cai-deploy", ".DS_Store", "*.py[co]"),
)
"""What nobody means who says "this directory", where there is no git to say so."""

SECRETS = (
    *(".env", ".env.*", ".envrc", ".netrc", ".pypirc", ".git-credentials", ".aws", ".ssh", ".kube", ".docker"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"),
    *("credentials", "credentials.json", "credentials.y*ml", "secrets.json", "secrets.y*ml", "secrets.toml"),
    *("service-account*.json", "service_account*.json", "kubeconfig"),
)
"""Names under which people keep secrets. Everybody who may read the cluster can read a job's files."""

NO_SECRETS = (".env.example", ".env.sample", ".env.template", ".env.dist")

IGNORE_FILE = ".rayignore"


@dataclass(frozen=True)
class Selection:
    """What goes along, by the path that it has in the package; what looks like a secret; links out of it."""

    files: dict[str, Path]
    secrets: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


def select(root: Path, *, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Selection:
    """The files of ``root``.

    ``exclude`` are patterns of paths or names to leave out, beside those in .rayignore; ``include`` of such as look
    like secrets and are to go along all the same.
    """
    root = root.resolve()
    excluded = (*exclude, *_ignored_by_ray(root))
    files: dict[str, Path] = {}
    secrets, links = [], []
    for name in sorted(set(_listed(root))):
        path = root / name
        if matches(name, excluded):
            continue
        if matches(name, SECRETS) and not matches(name, (*NO_SECRETS, *include)):
            secrets.append(name)
        elif path.is_symlink() and not _leads_within(path, root):
            links.append(name)
        elif path.is_dir():  # a link to a directory, as others are never listed
            files |= {
                f"{name}/{inner}": path / inner
                for inner in _walk(path.resolve())
                if not (path / inner).is_symlink() and not matches(inner, (*excluded, *SECRETS))
            }
        elif path.is_file():
            files[name] = path
    return Selection(dict(sorted(files.items())), tuple(secrets), tuple(links))


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether the path ``name``, or one of its parts, or a directory that it lies in, fits one of ``patterns``."""
    path = PurePosixPath(name)
    candidates = [name, *path.parts, *(str(parent) for parent in path.parents)]
    return any(fnmatch(candidate, pattern.strip("/")) for pattern in patterns for candidate in candidates)


def _listed(root: Path) -> Iterator[str]:
    """Names of files below ``root``, links included: those that git tracks or would, or else all but junk."""
    try:
        told = shell.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    except CommandFailed:  # no repository, or no git
        yield from _walk(root)
        return
    for name in filter(None, told.stdout.split("\0")):
        path = root / name
        if path.is_dir() and not path.is_symlink():  # a submodule, or a repository within this one
            yield from (f"{name.rstrip('/')}/{inner}" for inner in _listed(path))
        else:
            yield name


def _walk(root: Path) -> Iterator[str]:
    for directory, inner, names in os.walk(root):
        here = Path(directory)
        linked = [name for name in inner if (here / name).is_symlink()]
        inner[:] = [name for name in inner if name not in linked and not matches(name, JUNK)]
        for name in (*names, *linked):
            if not matches(name, JUNK):
                yield (here / name).relative_to(root).as_posix()


def _leads_within(link: Path, root: Path) -> bool:
    target = link.resolve()
    return target.exists() and target.is_relative_to(root) and target not in (root, *link.parents)


def _ignored_by_ray(root: Path) -> list[str]:
    file = root / IGNORE_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
