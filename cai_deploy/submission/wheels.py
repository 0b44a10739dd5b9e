"""Wheels that go along with a job: built here, put into its package, and installed from there on each node.

A wheel lies in a directory that is named by its content. Ray keeps environments by what they are asked for, and would
take one with the wheel of yesterday for a wheel that has only the same name.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from cai_deploy import shell
from cai_deploy.errors import CommandFailed, ConfigError, DeployError

UNPACKED = "${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}"
"""Ray's variable for where the package lies when the environment is made."""

DIRECTORY = "_wheels"
BUILD_LIMIT = 900.0
LONG_AGO = "315532800"
"""1980 in seconds since 1970, the first moment that a zip can tell: the same sources then give the same wheel."""


class BuildFailed(DeployError):
    """A wheel could not be built."""


def placed(wheels: Sequence[Path]) -> dict[str, Path]:
    """``wheels`` by their paths in the package. Raises ConfigError for what is no wheel, or no file."""
    found: dict[str, Path] = {}
    for wheel in wheels:
        if wheel.suffix != ".whl" or not wheel.is_file():
            raise ConfigError(
                f"--wheel {wheel} is not a wheel that is there",
                next_step="build it first, or use --build-wheels",
            )
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()[:12]
        found[f"{DIRECTORY}/{digest}/{wheel.name}"] = wheel
    return found


def requirement(path: str) -> str:
    """How a runtime environment asks for the file at ``path`` of the package."""
    return f"{UNPACKED}/{path}"


def build_wheels(project: Path, out: Path) -> list[Path]:
    """Build the wheels of the project in ``project`` into ``out``. Raises ConfigError or BuildFailed."""
    sources = project / "pyproject.toml"
    if not sources.is_file() and not (project / "setup.py").is_file():
        raise ConfigError(
            f"there is nothing to build in {project}: no pyproject.toml, no setup.py",
            next_step="run it from the project, or give its wheels with --wheel",
        )
    workspace = sources.is_file() and re.search(r"^\[tool\.uv\.workspace\]", sources.read_text("utf-8"), re.MULTILINE)
    try:
        shell.run(
            [*_builder(all_packages=bool(workspace)), *(str(out), str(project))],
            env={**os.environ, "SOURCE_DATE_EPOCH": LONG_AGO},
            timeout=BUILD_LIMIT,
        )
    except CommandFailed as error:
        raise BuildFailed(
            f"the wheel of {project} could not be built", why=error.output_tail, next_step="mend the project's build"
        ) from error
    return sorted(out.glob("*.whl"))


def _builder(*, all_packages: bool) -> list[str]:
    """The program that builds, up to the directory that it is to write to."""
    uv = shutil.which("uv") or ([sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else None)
    if uv:
        words = [uv] if isinstance(uv, str) else uv
        return [*words, "build", "--wheel", "--quiet", *(["--all-packages"] if all_packages else []), "--out-dir"]
    if importlib.util.find_spec("build"):
        return [sys.executable, "-m", "build", "--wheel", "--outdir"]
    raise ConfigError("there is nothing here that builds wheels", next_step="pip install uv")
