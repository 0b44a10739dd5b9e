"""People who use a Slurm from its login node: each with a checkout in a directory that all machines see."""

from __future__ import annotations

import pwd
import subprocess
import tempfile
from pathlib import Path

from tests.e2e.conftest import REPOSITORY, Shell, environment_for_everybody
from tests.e2e.slurm_machines import SlurmMachines

SPECIFICATION = """
place: slurm
head: {cpu: 1, memory_gb: 1.5}
workers: [{replicas: 1, cpu: 1, memory_gb: 1}]
timeouts: {launch: 480, join: 240, stop: 10}
"""


def researcher(
    slurm: SlurmMachines, name: str = "project", *, specification: str = SPECIFICATION, user: str = ""
) -> Shell:
    """Somebody with a fresh checkout; ``user`` is whom they are logged in as, we ourselves by default."""
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=slurm.home))
    directory.chmod(0o755)
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(directory)], check=True)
    home = directory / "home"
    home.mkdir()
    shell = Shell(directory, home, user=user, environ={"SLURM_CONF": str(slurm.configuration)})
    shell.commit("cai-deploy.yaml", specification)
    if user:
        who = pwd.getpwnam(user)
        shell.python = str(environment_for_everybody(slurm.home / f"{directory.name}-venv", directory))
        subprocess.run(["chown", "-R", f"{who.pw_uid}:{who.pw_gid}", str(directory)], check=True)
    return shell


def processes_in(directory: Path) -> list[str]:
    """The command lines of all that runs with this directory in its variables or arguments, on whichever machine."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            told = (process / "cmdline").read_bytes()
            if process.name.isdigit() and str(directory).encode() in told + (process / "environ").read_bytes():
                found.append(told.replace(b"\0", b" ").decode(errors="replace").strip())
        except OSError:
            continue
    return found
