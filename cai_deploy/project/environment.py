"""The virtual environment that a cluster's nodes share, built once by a job.

Its name is a digest of everything that makes it what it is, so an unchanged one costs one look at a file, and a changed
one is built beside it, out of the way of nodes that still run on the old one. It is complete only when its ready mark
is there, which is written last.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cai_deploy import layout, shell
from cai_deploy.errors import CommandFailed, DeployError
from cai_deploy.project.lock import DirectoryLock
from cai_deploy.project.packing import pack_where_slow
from cai_deploy.redaction import without_credentials

BUILD_TIMEOUT = 3600.0
LOCK_TIMEOUT = 3600.0

ROOM = 64 * 1024**2
"""Bytes: with less than that left, it is the disk that stopped a build."""

UV = "uv>=0.5,<1"
DROPPED_VARIABLES = (
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)
"""Set by runtimes or people, and each enough to put packages elsewhere or to leave the bytecode out."""


@dataclass(frozen=True)
class BuildResult:
    """What a build did. ``seconds`` is 0.0 when the environment stood already.

    ``told`` says what was found out about the file system and what was done about it, "" where that is nothing.
    """

    name: str
    built: bool
    seconds: float
    told: str = ""


@lru_cache(maxsize=16)
def environment_name(requirements: str, python: str, runtime: str) -> str:
    """The name of the environment for this lock file's text, this Python ("3.11") and this runtime image."""
    pins = [line.strip() for line in requirements.splitlines() if line.strip() and not line.strip().startswith("#")]
    digest = hashlib.sha256(json.dumps([pins, python, runtime]).encode()).hexdigest()
    return f"ray-{digest[:12]}"


def is_ready(root: Path, name: str) -> bool:
    """Whether the environment is there and complete."""
    return (root / layout.environment_ready_file(name)).is_file()


def newest_ready(root: Path) -> str | None:
    """The name of the environment that was completed last, None when there is none."""
    marks = sorted(
        (root / layout.ENVIRONMENTS_DIR).glob(f"*/{layout.READY_MARK}"), key=lambda mark: mark.stat().st_mtime
    )
    return marks[-1].parent.name if marks else None


def build_environment(
    root: Path, requirements: Path, python: str, name: str, *, timeout: float = BUILD_TIMEOUT
) -> BuildResult:
    """Build the environment ``name`` in the project at ``root``, unless it stands; ``timeout`` is in seconds.

    Raises DeployError when this interpreter is not the wanted Python or when uv fails.
    """
    if is_ready(root, name):
        return BuildResult(name, built=False, seconds=0.0)
    require_python(python)
    keep_out_of_git(root)
    started = time.monotonic()
    environment = root / layout.environment_dir(name)
    with DirectoryLock(environment.with_name(f"{name}.lock"), timeout=LOCK_TIMEOUT):
        if is_ready(root, name):
            return BuildResult(name, built=False, seconds=0.0)
        shutil.rmtree(environment, ignore_errors=True)
        _fill(root, environment, root / requirements, timeout)
        told = pack_where_slow(environment)
        _mark_ready(root, name, python)
    return BuildResult(name, built=True, seconds=time.monotonic() - started, told=told)


def require_python(python: str) -> None:
    """Raise DeployError unless this interpreter is the wanted one, as an environment is built for the one it uses."""
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    if found != python:
        raise DeployError(
            f"this runtime has Python {found}, the environment is to have {python}",
            next_step=f'choose a runtime with Python {python}, or set `python: "{found}"` in the specification',
        )


def keep_out_of_git(root: Path) -> None:
    """Our directory ignores itself, so that ``git status`` in the project stays as clean as the people left it."""
    ignore = root / layout.STATE_DIR / ".gitignore"
    if not ignore.exists():
        ignore.parent.mkdir(parents=True, exist_ok=True)
        ignore.write_text("*\n", encoding="utf-8")


def _fill(root: Path, environment: Path, requirements: Path, timeout: float) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in DROPPED_VARIABLES}
    uv = find_uv(root, clean)
    # The cache and the project are often on different file systems, where a hard link is not to be had.
    clean.setdefault("UV_LINK_MODE", "copy" if not _same_device(clean, root) else "hardlink")
    interpreter = str(Path(sys.executable).resolve())
    try:
        shell.run([*uv, "venv", "--quiet", "--python", interpreter, str(environment)], env=clean)
        shell.run(
            [
                *uv,
                *("pip", "sync", "--quiet", "--compile-bytecode"),
                *("--python", str(environment / "bin" / "python"), str(requirements)),
            ],
            env=clean,
            timeout=timeout,
        )
    except CommandFailed as error:
        raise DeployError(
            f"the environment could not be built from {requirements.name}",
            why=without_credentials(error.output_tail),
            next_step=_way_out(environment),
        ) from error


def _way_out(environment: Path) -> str:
    if shutil.disk_usage(environment.parent).free < ROOM:
        return "make room where the project lies, and run the same command again"
    return "mend the requirements file, lock it again, commit, and deploy"


def find_uv(root: Path, environ: Mapping[str, str]) -> list[str]:
    """How to call uv: from PATH, as a module of this Python, or freshly installed into the project's own tools.

    Raises DeployError when there is none and none can be installed.
    """
    found = shutil.which("uv", path=environ.get("PATH"))
    if found:
        return [found]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    tools = root / layout.STATE_DIR / "tools"
    program = tools / "bin" / "uv"
    if not program.exists():
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tools), UV]
        try:
            shell.run(install, env=environ, timeout=300)
        except CommandFailed as error:
            raise DeployError(
                "uv is not in this runtime and could not be installed",
                why=without_credentials(error.output_tail),
                next_step="choose a runtime that has uv, or give the project a package index that pip can reach",
            ) from error
    return [str(program)]


def _same_device(environ: dict[str, str], root: Path) -> bool:
    cache = Path(environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
    nearest = next((path for path in (cache, *cache.parents) if path.exists()), root)
    return nearest.stat().st_dev == root.stat().st_dev


def _mark_ready(root: Path, name: str, python: str) -> None:
    mark = root / layout.environment_ready_file(name)
    scratch = mark.with_suffix(".tmp")
    scratch.write_text(json.dumps({"name": name, "python": python}) + "\n", encoding="utf-8")
    scratch.replace(mark)
