"""People who use a Docker of the tests and are not root."""

from __future__ import annotations

import pwd
import secrets
import shutil
import subprocess

from tests.e2e.conftest import ORDINARY_USER, REPOSITORY, environment_for_everybody
from tests.e2e.private_docker import DockerShell, PrivateDocker, compose, someone


def ordinary(docker: PrivateDocker, specification: str) -> DockerShell:
    """Somebody who is not root, with a checkout of their own and Compose as their plugin; the engine lets them in."""
    who = pwd.getpwnam(ORDINARY_USER)
    made = someone(docker, specification, name=f"theirs-{secrets.token_hex(2)}")
    docker.home.chmod(0o755)
    made.user = ORDINARY_USER
    made.python = str(environment_for_everybody(docker.home / f"everybody-{secrets.token_hex(2)}", REPOSITORY))
    made.environ["DOCKER_CONFIG"] = str(made.checkout / ".docker")
    plugins = made.checkout / ".docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    shutil.copy(compose(), plugins)
    (made.checkout / ".git" / "info" / "exclude").write_text(".docker/\nhome/\n")
    subprocess.run(["chown", "-R", f"{who.pw_uid}:{who.pw_gid}", str(made.checkout)], check=True)
    return made
