"""Which of the workspace's runtime images a group runs on.

Versions differ from workspace to workspace, so nothing is hard-coded: what a specification leaves open is resolved from
the list. Once a cluster runs, its own choice is kept, or a new image in the list would restart every node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cai_deploy.api.schemas import Runtime
from cai_deploy.errors import ConfigError
from cai_deploy.spec import NodeGroup

ENABLED = "ENABLED"
OLDEST_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 13)
"""The Pythons that Ray 2.60 has wheels for."""

EDITORS = ("PBJ Workbench", "JupyterLab", "Workbench")
"""In order of liking: a workbench image is the lightest that runs a script."""


def choose(group: NodeGroup, python: str | None, offered: Iterable[Runtime], in_use: str | None) -> str:
    """The image for ``group``: the one it names, else the one ``in_use``, else the newest fitting one.

    Raises ConfigError, with what the workspace offers, when nothing fits.
    """
    if group.runtime:
        return group.runtime
    if in_use:
        return in_use
    enabled = [runtime for runtime in offered if runtime.status == ENABLED]
    fitting = [runtime for runtime in enabled if _fits(runtime, group, python)]
    if not fitting:
        wanted = f"Python {python}" if python else "a Python that Ray supports"
        kernels = ", ".join(sorted({f"{runtime.kernel} ({runtime.edition})" for runtime in enabled})) or "none"
        raise ConfigError(
            f"no runtime of the workspace has {wanted}{' for GPUs' if group.gpu else ''}",
            why=f"enabled: {kernels}",
            next_step="set `python` or a group's `runtime` to one of them, or enable another in the workspace",
        )
    return max(fitting, key=lambda runtime: (_version(runtime), -_editor_rank(runtime))).image_identifier


def python_of(image: str, offered: Iterable[Runtime]) -> str | None:
    """The Python version (``3.11``) of ``image``: as its name says, else as the list says, else None."""
    named = re.search(r"python(3\.\d+)", image)
    if named:
        return named.group(1)
    return next((runtime.python_version for runtime in offered if runtime.image_identifier == image), None)


def _fits(runtime: Runtime, group: NodeGroup, python: str | None) -> bool:
    version = runtime.python_version
    if version is None or ("gpu" in runtime.edition.lower()) != bool(group.gpu):
        return False
    if python:
        return version == python
    return OLDEST_PYTHON <= tuple(int(part) for part in version.split(".")) <= NEWEST_PYTHON


def _version(runtime: Runtime) -> tuple[int, ...]:
    """``2026.08.1-b5`` -> (2026, 8, 1, 5), so that b10 is newer than b9."""
    digits = "".join(char if char.isdigit() else " " for char in runtime.full_version)
    return tuple(int(part) for part in digits.split())


def _editor_rank(runtime: Runtime) -> int:
    return EDITORS.index(runtime.editor) if runtime.editor in EDITORS else len(EDITORS)
