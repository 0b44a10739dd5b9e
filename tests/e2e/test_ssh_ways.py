"""How SSH gets in, as its user has set it up: their configuration, their agent, their answer at a first contact.

Nothing is launched: that a host tells of itself is enough.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import REPOSITORY, Shell, poll
from tests.e2e.ssh_hosts import SshHosts, ssh_hosts, unavailable
from tests.e2e.ssh_people import specify
from tests.terminal import at_a_terminal

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.root,
    pytest.mark.skipif(bool(unavailable()), reason=unavailable()),
]

NO_CLUSTER = "there is no cluster ray here; `launch` makes one\n"


@pytest.fixture(scope="module")
def hosts() -> Iterator[SshHosts]:
    with ssh_hosts(2) as running:
        yield running


@pytest.fixture
def shell(hosts: SshHosts, tmp_path: Path) -> Shell:
    """Somebody who has met no host, with nothing in their home."""
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(checkout)], check=True)
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    person = Shell(checkout, home, environ={"HOME": str(home), "SSH_AUTH_SOCK": ""})
    bare = {"user": None, "identity_file": None}
    specify(person, [hosts.entry(2, address="box", **bare)])
    return person


def configure(shell: Shell, text: str) -> None:
    (shell.home / ".ssh" / "config").write_text(text)


def alias(hosts: SshHosts, *more: str) -> str:
    lines = (f"HostName {hosts.address(2)}", "User root", *more)
    return "Host box\n" + "".join(f"  {line}\n" for line in lines)


def answering(shell: Shell, answer: str) -> tuple[int, str]:
    """Status and story of `status` for somebody who answers so."""
    questions = [("Trust it? [yes/no]", answer)] if answer else []
    return at_a_terminal(shell.argv("status"), questions, cwd=shell.checkout, env=shell.env())


def meets_everybody(shell: Shell) -> None:
    shell.environ["CAI_DEPLOY_ACCEPT_NEW_HOST_KEYS"] = "1"


def test_a_host_of_the_users_configuration(hosts: SshHosts, shell: Shell) -> None:
    configure(shell, alias(hosts, f"IdentityFile {hosts.identity}"))
    meets_everybody(shell)
    assert shell.ok("status").stderr.endswith(NO_CLUSTER)
    assert hosts.files(2) == []


def test_a_way_through_another_host(hosts: SshHosts, shell: Shell) -> None:
    bastion = f"Host bastion\n  HostName {hosts.address(1)}\n  User root\n  IdentityFile {hosts.identity}\n"
    configure(shell, alias(hosts, f"IdentityFile {hosts.identity}", "ProxyJump bastion") + bastion)
    refused = shell.run("status")
    assert refused.status == 4
    assert "error: bastion is not known here\n" in refused.stderr
    meets_everybody(shell)
    assert shell.ok("status").stderr.endswith(NO_CLUSTER)
    known = (shell.home / ".ssh" / "known_hosts").read_text()
    assert len(known.splitlines()) == 2
    hosts.cut(1)
    try:
        assert "  bastion does not answer: " in shell.run("status").stderr
    finally:
        hosts.mend(1)


def test_the_users_agent(hosts: SshHosts, shell: Shell) -> None:
    configure(shell, alias(hosts))
    meets_everybody(shell)
    refused = shell.run("status")
    assert refused.status == 4
    assert "error: box does not let you in\n" in refused.stderr
    socket = shell.home / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        poll("the agent is there", socket.exists)
        shell.environ["SSH_AUTH_SOCK"] = str(socket)
        add = ["ssh-add", "-q", hosts.identity]
        subprocess.run(add, env={**os.environ, "SSH_AUTH_SOCK": str(socket)}, check=True)
        assert shell.ok("status").stderr.endswith(NO_CLUSTER)
    finally:
        agent.terminate()
        agent.wait()


def test_who_sits_at_a_terminal_is_asked_once(hosts: SshHosts, shell: Shell) -> None:
    configure(shell, alias(hosts, f"IdentityFile {hosts.identity}"))
    print_of = ["ssh-keygen", "-lf", hosts.home / "2" / "host_key.pub"]
    fingerprint = subprocess.run(print_of, capture_output=True, text=True, check=True).stdout.split()[1]
    question = f"its ssh-ed25519 key is {fingerprint}. Trust it? [yes/no]"
    status, shown = answering(shell, "no")
    assert (status, question in shown) == (4, True), shown
    status, shown = answering(shell, "yes")
    assert (status, question in shown, NO_CLUSTER.strip() in shown) == (0, True, True), shown
    status, shown = answering(shell, "")
    assert (status, "Trust it?" in shown) == (0, False), shown
