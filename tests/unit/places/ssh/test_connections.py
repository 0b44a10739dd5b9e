"""Connections to a server in this process: whom they trust, what they run, and how trouble is told apart."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.places.ssh.connections import Connections, jumps
from cai_deploy.places.ssh.crowd import ask_all
from cai_deploy.places.ssh.errors import (
    HostKeyChanged,
    HostKeyUnknown,
    HostTrouble,
    HostUnfit,
    HostUnreachable,
    KeyRefused,
    KeyUnusable,
)
from cai_deploy.places.ssh.known_hosts import KnownHosts
from cai_deploy.places.ssh.sftp_files import SftpFiles
from cai_deploy.ssh_hosts import SshHost


class _HangsUp(asyncssh.SSHServer):
    """What is asked as soon as somebody calls."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        if self._server.hang_ups > 0:
            self._server.hang_ups -= 1
            conn.abort()


OURS = asyncssh.generate_private_key("ssh-ed25519")
HOSTS = asyncssh.generate_private_key("ssh-ed25519")


class Server:
    """Runs ``echo``: what came on stdin, and status 3. It hangs up on the next ``hang_ups`` callers."""

    def __init__(self) -> None:
        self.connections = 0
        self.hang_ups = 0
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._listening = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(20)
        self.port = self._listening.get_port()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        authorized = asyncssh.import_authorized_keys(OURS.export_public_key("openssh").decode())
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[HOSTS],
            authorized_client_keys=authorized,
            process_factory=self._run,
            sftp_factory=True,
            encoding=None,
            acceptor=self._count,
            server_factory=lambda: _HangsUp(self),
        )

    def _count(self, connection: asyncssh.SSHServerConnection) -> None:
        self.connections += 1

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        if process.command == "sleep":
            await asyncio.sleep(60)
        process.stdout.write(await process.stdin.read())
        process.stderr.write(b"told")
        process.exit(3)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _end(self) -> None:
        self._listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def host(server: Server, tmp_path: Path) -> SshHost:
    key = tmp_path / "key"
    OURS.write_private_key(key)
    return SshHost(address="127.0.0.1", port=server.port, user="me", identity_file=str(key))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def connections(tmp_path: Path) -> Iterator[Connections]:
    made = Connections(KnownHosts(lambda _: True, tmp_path / "known_hosts"))
    yield made
    made.close()


def test_a_command_is_run_to_its_end(connections: Connections, host: SshHost, server: Server) -> None:
    before = server.connections
    ran = connections.run(host, "echo", b"\x00bytes")
    assert (ran.status, ran.stdout, ran.stderr) == (3, b"\x00bytes", "told")
    assert connections.run(host, "echo", b"again").stdout == b"again"
    assert server.connections == before + 1


def test_many_at_once_on_one_connection(connections: Connections, host: SshHost) -> None:
    hosts = [host] * 20
    assert ask_all(hosts, lambda each: connections.run(each, "echo", b"x").stdout).done == {host.name: b"x"}


def test_files(connections: Connections, host: SshHost, tmp_path: Path) -> None:
    files = SftpFiles(connections, host, str(tmp_path / "root"))
    assert files.list("") == []
    files.upload("a/token", b"one", 0o600)
    files.upload("a/token", b"two")
    assert (tmp_path / "root/a/token").stat().st_mode & 0o777 == 0o600
    assert [(entry.path, entry.file_size) for entry in files.list("a")] == [("token", 3)]
    assert (files.read_text("a/token"), files.download_from("a/token", 1), files.download_from("a/token", 9)) == (
        "two",
        b"wo",
        b"",
    )
    assert files.read_text("a/none") is None
    assert files.rename("a", "b/c")
    assert not files.rename("a", "b/d")
    files.delete("b")
    files.delete("b")
    assert files.list("") == []


def test_a_file_where_a_directory_should_be_is_trouble(connections: Connections, host: SshHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HostTrouble):
        SftpFiles(connections, host, str(tmp_path)).upload("file/below", b"x")


def test_first_contact_and_a_changed_key(host: SshHost, tmp_path: Path) -> None:
    known = tmp_path / "known"
    with pytest.raises(HostKeyUnknown):
        Connections(KnownHosts(lambda _: False, known)).run(host, "echo")
    another = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode()
    known.write_text(f"[127.0.0.1]:{host.port} {another}")
    with pytest.raises(HostKeyChanged):
        Connections(KnownHosts(lambda _: True, known)).run(host, "echo")
    other_kind = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key("openssh").decode()
    known.write_text(f"[127.0.0.1]:{host.port} {other_kind}")
    with pytest.raises(HostUnfit, match="no kind of key"):
        Connections(KnownHosts(lambda _: True, known)).run(host, "echo")


def test_a_host_that_hangs_up_is_called_again_a_few_times(
    connections: Connections, server: Server, host: SshHost
) -> None:
    server.hang_ups = 2
    assert connections.run(host, "echo", b"back").stdout == b"back"
    connections.close()
    server.hang_ups = 4
    with pytest.raises(HostUnreachable, match=r"Connection (lost|reset)"):
        connections.run(host, "echo")
    assert server.hang_ups == 0


def test_keys_that_do_not_open_it(connections: Connections, host: SshHost, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(wrong)
    with pytest.raises(KeyRefused):
        connections.run(host.model_copy(update={"identity_file": str(wrong)}), "echo")
    OURS.write_private_key(wrong, "pkcs8-pem", passphrase="closed")
    with pytest.raises(KeyUnusable):
        connections.run(host.model_copy(update={"identity_file": str(wrong)}), "echo")
    with pytest.raises(KeyUnusable, match="there is no such file"):
        connections.run(host.model_copy(update={"identity_file": "/no/such/key"}), "echo")


def test_nobody_there_and_no_answer(connections: Connections, host: SshHost) -> None:
    with pytest.raises(HostUnreachable):
        connections.run(SshHost(address="127.0.0.1", port=1), "echo")
    began = time.monotonic()
    with pytest.raises(HostUnreachable, match="no answer within 1 seconds"):
        connections.run(host, "sleep", timeout=1)
    assert time.monotonic() - began < 30
    assert connections.run(host, "echo", b"back").stdout == b"back"


def test_the_way_to_a_host_is_that_of_the_specification_or_else_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert jumps(SshHost(address="box")) == []
    (tmp_path / ".ssh").mkdir()
    config = tmp_path / ".ssh" / "config"
    config.write_text("Host box\n  ProxyJump me@first:2222,second\nHost straight\n  ProxyJump none\n")
    first, second = jumps(SshHost(address="box"))
    assert (first.user, first.address, first.port) == ("me", "first", 2222)
    assert second == SshHost(address="second")
    assert jumps(SshHost(address="straight")) == jumps(SshHost(address="other")) == []
    assert jumps(SshHost(address="box", jump="own")) == [SshHost(address="own")]
    config.write_text("Port many\n")
    with pytest.raises(ConfigError, match="config cannot be read"):
        jumps(SshHost(address="box"))
