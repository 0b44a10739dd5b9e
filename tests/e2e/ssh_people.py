"""People who use plain hosts: each with a checkout, a home with keys of their own, and hosts that they may enter."""

from __future__ import annotations

import json
import os
import subprocess

from tests.e2e.conftest import REPOSITORY, Shell
from tests.e2e.ssh_hosts import PYTHON, UV, SshHosts

SMALL = {
    "place": "ssh",
    "head": {"cpu": 1, "memory_gb": 1.5},
    "workers": [{"replicas": 2, "cpu": 1, "memory_gb": 1}],
    "timeouts": {"launch": 480, "join": 240, "stop": 10},
}

DOWNLOADED = "downloaded"
"""An environment that every host can see, as a machine has one that somebody installed us on."""


def owner(hosts: SshHosts, entries: list[dict[str, object]], **more: object) -> Shell:
    """Somebody with a fresh checkout, whose specification names these hosts; those met first are trusted."""
    directory = hosts.home / "checkout"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(directory)], check=True)
    home = hosts.home / "home"
    home.mkdir()
    shell = Shell(directory, home, environ={"HOME": str(home), "CAI_DEPLOY_ACCEPT_NEW_HOST_KEYS": "1"})
    _download(hosts)
    specify(shell, entries, **more)
    return shell


def _download(hosts: SshHosts) -> None:
    """Have this machine download what nodes' environments are made from: hosts have no way to where that is."""
    python, environ = hosts.home / DOWNLOADED, {**os.environ, "UV_CACHE_DIR": str(hosts.cache)}
    subprocess.run([UV, "venv", "--quiet", "--python", PYTHON, python], env=environ, check=True)
    locked = REPOSITORY / "requirements/cluster.txt"
    sync = [UV, "pip", "sync", "--quiet", "--python", python / "bin/python", locked]
    subprocess.run(sync, env=environ, check=True)


def specify(shell: Shell, entries: list[dict[str, object]], **more: object) -> None:
    """Have the specification name these hosts."""
    shell.commit("cai-deploy.yaml", json.dumps({**SMALL, "hosts": entries, **more}))
