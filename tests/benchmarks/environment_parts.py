"""What the benchmarks of the environment have in common: a project, its lock file, the setup job, and plain uv."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cai_deploy import layout
from cai_deploy.project.environment import DROPPED_VARIABLES, environment_name, find_uv

REPOSITORY = Path(__file__).parents[2]
LOCK = "requirements/cluster.txt"
JOB = REPOSITORY / "jobs/setup_environment.py"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
RUNTIME = "an-image"

SMALL = (
    *("certifi", "charset-normalizer", "click", "idna", "jinja2", "markdown-it-py", "markupsafe", "mdurl", "pygments"),
    *("requests", "rich", "tenacity", "urllib3"),
)
"""Packages of Ray's own lock file that take a moment to install."""


def lock_text(*, small: bool) -> str:
    """Ray's own lock file, or the part of it that pins SMALL."""
    text = (REPOSITORY / LOCK).read_text()
    if not small:
        return text
    pins = re.split(r"\n(?=[a-z0-9])", text)
    return "\n".join(pin for pin in pins if pin.partition("==")[0] in SMALL) + "\n"


@dataclass(frozen=True)
class Project:
    """A project with nothing but a lock file."""

    root: Path

    @classmethod
    def make(cls, root: Path, lock: str) -> Project:
        (root / LOCK).parent.mkdir(parents=True)
        (root / LOCK).write_text(lock)
        return cls(root)

    @property
    def environment(self) -> Path:
        name = environment_name((self.root / LOCK).read_text(), PYTHON, RUNTIME)
        return self.root / layout.environment_dir(name)

    def set_up(self, **variables: str) -> str:
        """Run the setup job; what it told."""
        arguments = shlex.join(["--requirements", LOCK, "--python", PYTHON, "--runtime", RUNTIME])
        environ = {**clean(), "JOB_ARGUMENTS": arguments, "PYTHONPATH": str(REPOSITORY), **variables}
        return run([sys.executable, str(JOB)], self.root, environ)

    def sync(self, directory: Path, *options: str) -> None:
        """The same by uv's own two commands, as a person would type them."""
        uv = find_uv(self.root, os.environ)
        interpreter = str(Path(sys.executable).resolve())
        run([*uv, "venv", "--quiet", "--python", interpreter, str(directory)], self.root, clean())
        python = str(directory / "bin" / "python")
        run([*uv, "pip", "sync", "--quiet", *options, "--python", python, LOCK], self.root, clean())

    def remove(self, environment: Path) -> None:
        shutil.rmtree(environment, ignore_errors=True)

    def snapshot(self) -> dict[Path, tuple[int, int, int]]:
        """Everything below it, and what changes when it is written."""
        return {path: _known(path) for path in self.root.rglob("*")}


def _known(path: Path) -> tuple[int, int, int]:
    known = path.lstat()
    return known.st_ino, known.st_mtime_ns, known.st_ctime_ns


def clean() -> dict[str, str]:
    """The variables of a person who has set nothing that sends packages elsewhere, or leaves bytecode out."""
    return {name: value for name, value in os.environ.items() if name not in DROPPED_VARIABLES}


def run(command: list[str], directory: Path, environ: dict[str, str], timeout: float = 900) -> str:
    done = subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Watch:
    """``with Watch() as watch: ...``, then ``watch.seconds``."""

    seconds = 0.0

    def __enter__(self) -> Watch:
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
