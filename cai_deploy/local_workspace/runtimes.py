"""The runtimes that this machine can offer: the workspace's own Python, and each other python3.X on the PATH.

A runtime is a bare interpreter, as it is in a real workspace: nothing of the virtual environment that the workspace
itself runs in can be seen from it. It knows nothing of workloads.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cai_deploy.errors import CommandFailed
from cai_deploy.local_workspace.home import Home
from cai_deploy.shell import run

MINORS = (10, 11, 12, 13)
NEWEST, OLDER = "2026.08.1-b5", "2026.04.1-b6"
IMAGE = "docker.repository.cloudera.com/cloudera/cdsw/ml-runtime-pbj-workbench-python{version}-standard:{full}"
ADDONS = ["hadoop-cli-7.3.1-hf1"]


@dataclass(frozen=True)
class Runtime:
    """One runtime image and the interpreter that stands behind it."""

    version: str
    full_version: str
    interpreter: Path

    @property
    def identifier(self) -> str:
        """What clients send as runtime_identifier."""
        return IMAGE.format(version=self.version, full=self.full_version)

    def shown(self) -> dict[str, Any]:
        """A Runtime as the API shows it."""
        return {
            "image_identifier": self.identifier,
            "editor": "PBJ Workbench",
            "kernel": f"Python {self.version}",
            "edition": "Standard",
            "description": f"Python {self.version} of this machine",
            "full_version": self.full_version,
            "status": "ENABLED",
            "register_user_id": 0,
        }


def discover() -> list[Runtime]:
    """The runtimes of this machine, the workspace's own Python first."""
    own = own_interpreter()
    own_version = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = [Runtime(own_version, NEWEST, own)]
    for minor in MINORS:
        version = f"3.{minor}"
        program = shutil.which(f"python{version}")
        if program and version != own_version and (real := _real_interpreter(program, version)):
            found.append(Runtime(version, OLDER, real))
    return found


def own_interpreter() -> Path:
    """The interpreter under the virtual environment that this process may run in."""
    base = Path(getattr(sys, "_base_executable", "") or sys.executable)
    return base.resolve()


def _real_interpreter(program: str, version: str) -> Path | None:
    """Ask the program itself: it may be a shim that finds nothing, or belong to a virtual environment."""
    question = "import sys; print(sys._base_executable, '%d.%d' % sys.version_info[:2], sep='\\n')"
    try:
        path, answered = run([program, "-I", "-S", "-c", question], timeout=10).stdout.split("\n")[:2]
    except (CommandFailed, ValueError):
        return None
    return Path(path).resolve() if answered == version else None


def tools_directory(home: Home, runtime: Runtime) -> Path:
    """A directory for the front of the PATH in which ``python3``, ``python`` and ``uv`` are the runtime's."""
    directory = home.tools(f"python{runtime.version}")
    directory.mkdir(parents=True, exist_ok=True)
    # A script, not a link: an interpreter that is reached by a link takes the link's directory for its own.
    script = f'#!/bin/sh\nexec "{runtime.interpreter}" "$@"\n'
    for name in ("python3", "python", f"python{runtime.version}"):
        _replace(directory / name, script)
    link = directory / "uv"
    link.unlink(missing_ok=True)
    link.symlink_to(_uv())
    return directory


def _replace(path: Path, script: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(script, encoding="utf-8")
    draft.chmod(0o755)
    draft.replace(path)


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    if os.access(beside, os.X_OK):
        return str(beside)
    import uv  # here, as little else takes as long of the start of a workspace

    return uv.find_uv_bin()
