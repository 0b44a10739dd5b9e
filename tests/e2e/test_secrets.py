"""A whole life of a cluster, with secrets planted wherever people and platforms put them, and a look everywhere."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cai_deploy import layout
from cai_deploy.api.client import Client
from cai_deploy.api.schemas import CreateProjectRequest, Project
from cai_deploy.api.transport import Transport
from tests.e2e.conftest import SPECIFICATION, Ran, Shell, git
from tests.e2e.jobs import client_of, exported, run_ray_job

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Made anew for each run: a fixed one would be found in this very file.
GIT_TOKEN = f"planted-git-token-{secrets.token_hex(8)}"
USER_PASSWORD = f"planted-user-password-{secrets.token_hex(8)}"
OWN_SECRET = f"planted-own-secret-{secrets.token_hex(8)}"

TELLTALE = """
import os, ray
ray.init('auto')
print('the driver says', os.environ['CML_USER_PW'], os.environ['MY_SECRET'])
print('PLACED []')
"""


def test_no_secret_is_told_anywhere(person: Callable[..., Shell]) -> None:
    shell = person()
    git(shell.checkout, "remote", "set-url", "origin", f"https://oauth2:{GIT_TOKEN}@git.example.invalid/x.git")
    shell.commit("cai-deploy.yaml", SPECIFICATION.replace("head: {", f"head: {{env: {{MY_SECRET: {OWN_SECRET}}}, "))
    told = [shell.ok("workspace", "start"), shell.ok("plan", "--requests", "--json")]
    project = make_project(shell, told[-1])
    told.append(shell.ok("deploy", "--workers", "1"))
    client, _ = client_of(shell)
    token = (client.files.read_text(project.id, layout.token_file("ray")) or "").strip()
    key = exported(shell)["CML_API_KEY"]
    assert len(token) == 64
    run_ray_job(shell, TELLTALE)
    told += [
        shell.run(*words)
        for words in (
            ("plan", "--requests", "--json", "--workers", "2"),
            ("launch", "--workers", "1"),
            ("status", "--json"),
            ("status",),
            ("logs", "--tail", "10000"),
            ("logs", "--ray", "--tail", "10000"),
            ("explain", "--save", "found.txt"),
            ("explain", "--json"),
            ("render",),
            ("config",),
            ("doctor",),
            ("gc",),
        )
    ]
    told.append(Ran(0, (shell.checkout / "found.txt").read_text(), ""))
    everywhere = {"GIT": GIT_TOKEN, "TOKEN": token, "KEY": key, "PASSWORD": USER_PASSWORD}
    for ran in told:
        leaks(ran.stdout + ran.stderr, everywhere | {"OWN": OWN_SECRET})
    leaks(command_lines(shell), everywhere | {"OWN": OWN_SECRET})
    leaks(variables_of_the_agents(shell), {"GIT": GIT_TOKEN, "TOKEN": token})
    objects = (*client.applications.list(project.id), *client.jobs.list(project.id), client.projects.get(project.id))
    for each in objects:
        leaks(each.model_dump_json(), {"GIT": GIT_TOKEN, "TOKEN": token, "KEY": key})
    shell.ok("down")
    for file, text in files(shell):
        allowed = {"KEY", "PASSWORD"} if is_the_workspaces_own(file, shell) else set()
        leaks(text, {name: value for name, value in everywhere.items() if name not in allowed}, str(file))


def make_project(shell: Shell, planned: Ran) -> Project:
    """The project that was planned, with a variable that the platform hands to all that runs in it."""
    exports = exported(shell)
    client = Client(Transport(exports["CML_HOST"], exports["CML_API_KEY"]))
    body = planned.json()["plan"][0]["request"]["body"]
    body["environment"] = {**body.get("environment", {}), "CML_USER_PW": USER_PASSWORD}
    return client.projects.create(CreateProjectRequest.model_validate(body))


def leaks(text: str, planted: dict[str, str], where: str = "") -> None:
    """Fail when one of ``planted`` is in ``text``; the message shows what stands around it."""
    for name, value in planted.items():
        at = text.find(value)
        assert at < 0, f"{name} is told {where}: {json.dumps(text[max(at - 120, 0) : at])} [here]"


def command_lines(shell: Shell) -> str:
    """The command lines of all that runs for the workspace."""
    return "\n".join(Path(f"/proc/{pid}/cmdline").read_text(errors="replace") for pid in living(shell))


def variables_of_the_agents(shell: Shell) -> str:
    """The environments of the nodes' agents and of all that they started."""
    texts = [Path(f"/proc/{pid}/environ").read_text(errors="replace") for pid in living(shell)]
    return "\n".join(text for text in texts if "CAI_DEPLOY_NODE=" in text)


def living(shell: Shell) -> Iterator[int]:
    for pid in shell.processes():
        if os.access(f"/proc/{pid}/environ", os.R_OK):
            yield pid


def files(shell: Shell) -> Iterator[tuple[Path, str]]:
    """Every file of the workspace and of the checkout, with its text; git's configuration there is the person's own."""
    for root in (shell.home, shell.checkout):
        for file in root.rglob("*"):
            own = file.name == "config" and file.parent.name == ".git"
            if file.is_file() and not file.is_symlink() and not own and "site-packages" not in file.parts:
                yield file, file.read_bytes().decode("utf-8", errors="replace")


def is_the_workspaces_own(file: Path, shell: Shell) -> bool:
    """Whether it is a record of the platform's, which holds keys and variables, and is closed to others."""
    above = [path for path in (file, *file.parents) if path.is_relative_to(shell.home) and path != shell.home]
    closed = any(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in above)
    return closed and "projects" not in file.relative_to(shell.home).parts
