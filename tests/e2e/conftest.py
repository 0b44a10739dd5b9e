"""Real runs of the command line: a clone of this repository, a local workspace of its own, real Ray in real pods."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import layout
from cai_deploy.project.environment import build_environment
from tests.e2e.compiled_cache import compiled_cache
from tests.polling import last_look

REPOSITORY = Path(__file__).parents[2]
ORDINARY_USER = "nobody"

SPECIFICATION = """
# Small nodes, so that a cluster fits on two cores.
head: {cpu: 1, memory_gb: 2}
workers: [{replicas: 2, cpu: 1, memory_gb: 2}]
timeouts: {launch: 480, join: 240, stop: 10}
"""


@dataclass
class Ran:
    """One finished command."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> dict[str, Any]:
        return json.loads(self.stdout)


@dataclass
class Shell:
    """A person at a shell in a checkout, with a local workspace of their own."""

    checkout: Path
    home: Path
    pod_mode: str = ""
    user: str = ""
    python: str = sys.executable
    environ: dict[str, str] = field(default_factory=dict)

    def argv(self, *arguments: str) -> list[str]:
        command = [self.python, "-m", "cai_deploy", *arguments]
        if not self.user:
            return command
        who = pwd.getpwnam(self.user)
        return ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups", "--", *command]

    def env(self) -> dict[str, str]:
        ours = ("CML_", "CDSW_", "CAI_DEPLOY_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        kept |= {"CAI_DEPLOY_HOME": str(self.home), "NO_COLOR": "1", **self.environ}
        if self.pod_mode:
            kept["CAI_DEPLOY_POD_MODE"] = self.pod_mode
        if not self.user:
            kept["UV_CACHE_DIR"] = str(compiled_cache())
        else:
            kept["HOME"] = str(self.home)
            kept["PATH"] = f"{Path(self.python).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        return kept

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=self.checkout,
            env=self.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heeds_ctrl_c,
        )

    def run(self, *arguments: str, timeout: float = 800) -> Ran:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout)
        print(f"$ cai_deploy {' '.join(arguments)}\n{err}{out}(status {process.returncode})")
        return Ran(process.returncode, out, err)

    def ok(self, *arguments: str) -> Ran:
        ran = self.run(*arguments)
        assert ran.status == 0, ran.stderr
        return ran

    def status(self) -> dict[str, Any]:
        return self.ok("status", "--json").json()

    def commit(self, path: str, text: str) -> str:
        """Write a file in the checkout and commit it."""
        (self.checkout / path).write_text(text)
        git(self.checkout, "add", path)
        git(self.checkout, "commit", "-qm", f"change {path}")
        return git(self.checkout, "rev-parse", "HEAD").strip()

    def needs_walls(self) -> None:
        """Skip the test where this machine gives pods no namespaces of their own."""
        if self.ok("workspace", "status", "--json").json()["pod_mode"] == "loopback":
            pytest.skip("pods have no walls on this machine: no signal or cable strikes one of them alone")

    def processes(self) -> list[int]:
        """Every process that belongs to this workspace: its server, its supervisors, and all that runs in it."""
        mark = str(self.home).encode()
        found = []
        for directory in Path("/proc").iterdir():
            if not directory.name.isdigit() or int(directory.name) == os.getpid():
                continue
            try:
                told = (directory / "environ").read_bytes() + (directory / "cmdline").read_bytes()
            except OSError:
                continue
            if mark in told:
                found.append(int(directory.name))
        return found


def heeds_ctrl_c() -> None:
    """In a process that begins: Ctrl-C ends it, though the tests may have been started so that it does not end them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def git(directory: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", "-C", str(directory), *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def poll(what: str, check: Callable[[], object], deadline: float = 30.0) -> None:
    """Look until ``check`` is true; fails with ``what`` after ``deadline`` seconds."""
    assert last_look(check, deadline, 0.1), f"not in {deadline:.0f} s: {what}"


def environment_for_everybody(directory: Path, checkout: Path) -> Path:
    """An environment with this package that every user can run: our own may lie below a private home."""
    uv = Path(sys.executable).with_name("uv")
    python = python_for_everybody()
    subprocess.run([uv, "venv", "--quiet", "--python", python, directory], check=True)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--link-mode", "copy", "--python", directory / "bin/python", checkout],
        check=True,
    )
    return directory / "bin" / "python"


def python_for_everybody() -> Path:
    """A Python, new enough for us, in directories that every user may read. Skips the test where there is none."""
    names = ["python3", *(f"python3.{minor}" for minor in range(13, 9, -1))]
    places = [Path(sys.executable).resolve().parent, Path("/usr/local/bin"), Path("/usr/bin")]
    for candidate in (place / name for place in places for name in names):
        if candidate.exists() and readable_by_everybody(candidate.resolve()) and new_enough(candidate):
            return candidate
    pytest.skip("no Python that other users can run")


def readable_by_everybody(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in path.parents)


def new_enough(python: Path) -> bool:
    check = "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))"
    return subprocess.run([python, "-c", check], check=False).returncode == 0


@pytest.fixture(scope="session")
def ray_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment of a cluster's nodes, built once from the locked requirements as a job would."""
    root = tmp_path_factory.mktemp("project")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    build_environment(root, REPOSITORY / "requirements/cluster.txt", python, "ray-e2e")
    return root / layout.environment_dir("ray-e2e")


@pytest.fixture
def person() -> Iterator[Callable[..., Shell]]:
    """Makes a person with a fresh checkout and a fresh workspace, and cleans up behind them."""
    with people() as make:
        yield make


@contextlib.contextmanager
def people() -> Iterator[Callable[..., Shell]]:
    """What the fixture ``person`` gives, for longer than one test."""
    made: list[Shell] = []

    def make(*, pod_mode: str = "", user: str = "", specification: str = SPECIFICATION) -> Shell:
        root = Path(tempfile.mkdtemp(prefix="cai-e2e-", dir="/tmp"))
        root.chmod(0o755)
        checkout, home = root / "checkout", root / "home"
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(checkout)], check=True)
        home.mkdir()
        shell = Shell(checkout, home, pod_mode, user)
        made.append(shell)
        shell.commit("cai-deploy.yaml", specification)
        if user:
            who = pwd.getpwnam(user)
            shell.python = str(environment_for_everybody(root / "venv", checkout))
            subprocess.run(["chown", "-R", f"{who.pw_uid}:{who.pw_gid}", str(root)], check=True)
        return shell

    try:
        yield make
    finally:
        left = {shell.checkout: end(shell) for shell in made}
    assert not any(left.values()), f"processes are left: {left}"


def end(shell: Shell) -> list[int]:
    """Stop everything of this person and remove it; the processes that are left."""
    shell.run("workspace", "stop")
    left = shell.processes()
    shutil.rmtree(shell.checkout.parent, ignore_errors=True)
    return left
