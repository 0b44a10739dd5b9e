"""Connections to many hosts at once, behind calls that wait: one seam for SSH.

The connections live on a thread of their own and are kept until the process ends, as each costs more than what is done
over it. The user's own SSH configuration and agent count; a host whose key is not known is refused here, and whether it
is to be trusted is decided outside of that thread, where a person can be asked.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from cai_deploy.errors import ConfigError
from cai_deploy.places.ssh.errors import HostTrouble, HostUnfit, HostUnreachable, KeyRefused, KeyUnusable
from cai_deploy.places.ssh.known_hosts import KnownHosts, Shown
from cai_deploy.ssh_hosts import SshHost

CONNECT_TIMEOUT = 10.0
KEEPALIVE = 15.0
LEFT_ALONE = 15.0
"""Seconds for which a host that said nothing is not tried again: each look would wait for it."""

BROKEN = (asyncssh.DisconnectError, asyncssh.ChannelOpenError, OSError, EOFError)
HUNG_UP = (asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError)
ATTEMPTS = 4
"""A host may be met for the first time between two of them, and may hang up on one."""


@dataclass(frozen=True)
class Ran:
    """A program that has ended."""

    status: int
    stdout: bytes
    stderr: str


@dataclass
class _Caller(asyncssh.SSHClient):
    """Hears which key a host shows that is not trusted."""

    known: KnownHosts
    shown: list[Shown] = field(default_factory=list)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Never: it is only remembered."""
        self.shown.append(Shown(host, addr, port, key, self.known.is_known(host, addr, port)))
        return False


class Connections:
    """To any host; ``known`` knows their keys. Several threads may use it at once."""

    def __init__(self, known: KnownHosts) -> None:
        self._known = known
        self._open: dict[str, asyncssh.SSHClientConnection] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._silent: dict[str, tuple[float, str]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forwards: dict[tuple[str, str, int], int] = {}

    def run(self, host: SshHost, command: str, stdin: bytes = b"", *, timeout: float = 60.0) -> Ran:
        """Run a command of the host's shell to its end. Raises HostUnreachable and the like, see ``connect``."""
        connection = self.connect(host)
        done: asyncssh.SSHCompletedProcess = self._wait(
            host, connection.run(command, input=stdin, encoding=None), timeout
        )
        status = done.returncode if done.returncode is not None else 255
        return Ran(status, _bytes(done.stdout), _bytes(done.stderr).decode(errors="replace"))

    def sftp(self, host: SshHost, work: Any) -> Any:
        """What ``work`` comes to, a coroutine function that is given the host's SFTP client."""
        connection = self.connect(host)

        async def with_client() -> Any:
            async with connection.start_sftp_client() as client:
                return await work(client)

        return self._wait(host, with_client(), 120.0)

    def forward(self, host: SshHost, address: str, port: int) -> int:
        """A port of this machine that leads to an address as the host sees it, as long as this process lives."""
        connection = self.connect(host)
        key = (host.name, address, port)
        with self._lock_of(f"forward {key}"):
            if key not in self._forwards:
                listening: asyncssh.SSHListener = self._wait(
                    host, connection.forward_local_port("127.0.0.1", 0, address, port), 15.0
                )
                self._forwards[key] = listening.get_port()
            return self._forwards[key]

    def connect(
        self, host: SshHost, met: tuple[str, ...] = (), through: asyncssh.SSHClientConnection | None = None
    ) -> asyncssh.SSHClientConnection:
        """The connection to a host. Raises HostUnreachable, KeyRefused, KeyUnusable, HostKeyUnknown, HostKeyChanged.

        It goes ``through`` another one if that is given, or else as its user has set it up. ``met`` are those that it
        is to lead to, which the way to it cannot go through.
        """
        with self._lock_of(host.name):
            there = self._open.get(host.name)
            if there is not None and not there.is_closed():
                return there
            for key in [key for key in self._forwards if key[0] == host.name]:
                del self._forwards[key]
            until, why = self._silent.get(host.name, (0.0, ""))
            if time.monotonic() < until:
                raise HostUnreachable(host.name, why)
            jump = through
            for hop in () if through else jumps(host):
                if hop.name not in (host.name, *met):
                    jump = self.connect(hop, (host.name, *met), jump)
            self._open[host.name] = connection = self._connect(host, jump)
            return connection

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None:
            return
        for connection in self._open.values():
            loop.call_soon_threadsafe(connection.abort)
        loop.call_soon_threadsafe(loop.stop)
        self._open.clear()
        self._forwards.clear()

    def _connect(self, host: SshHost, jump: asyncssh.SSHClientConnection | None) -> asyncssh.SSHClientConnection:
        why = "it showed another key each time that it was asked"
        for _ in range(ATTEMPTS):
            callers: list[_Caller] = []
            try:
                return self._made(self._dial(host, jump, callers))
            except asyncssh.HostKeyNotVerifiable as error:
                shown = [each for caller in callers for each in caller.shown]
                if not shown:
                    raise HostUnreachable(host.name, f"its key cannot be verified: {error.reason}") from error
                self._known.meet(host.name, shown[-1])
            except asyncssh.KeyExchangeFailed as error:
                step = f"if the host was set up anew, its key is of another kind now: ssh-keygen -R {host.name}"
                raise HostUnfit(
                    host.name, "there is no kind of key that both sides take", error.reason, step
                ) from error
            except asyncssh.PermissionDenied as error:
                raise KeyRefused(host.name, host.user or "you", error.reason) from error
            except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
                raise KeyUnusable(host.name, host.identity_file or "one of your keys", str(error)) from error
            except FileNotFoundError as error:
                raise KeyUnusable(host.name, str(error.filename), "there is no such file") from error
            except (asyncio.TimeoutError, TimeoutError) as error:
                silence = f"no connection within {CONNECT_TIMEOUT:.0f} seconds"
                self._silent[host.name] = (time.monotonic() + LEFT_ALONE, silence)
                raise HostUnreachable(host.name, silence) from error
            except HUNG_UP as error:
                # A host that will not have us hangs up, sometimes before we have read what it said against us.
                why = _told(error)
            except BROKEN as error:
                raise HostUnreachable(host.name, _told(error)) from error
        raise HostUnreachable(host.name, why)

    def _made(self, dialling: Any) -> asyncssh.SSHClientConnection:
        made: asyncssh.SSHClientConnection = self._await(dialling, CONNECT_TIMEOUT + 5)
        return made

    async def _dial(
        self, host: SshHost, jump: asyncssh.SSHClientConnection | None, callers: list[_Caller]
    ) -> asyncssh.SSHClientConnection:
        """What the specification leaves out, the user's configuration says."""
        stated: dict[str, Any] = {"username": host.user, "port": host.port, "tunnel": jump}
        options = {name: value for name, value in stated.items() if value is not None}
        if host.identity_file:
            options["client_keys"] = [str(Path(host.identity_file).expanduser())]

        def caller() -> asyncssh.SSHClient:
            callers.append(_Caller(self._known))
            return callers[-1]

        return await asyncio.wait_for(
            asyncssh.connect(
                host.address,
                known_hosts=self._known.read(),
                client_factory=caller,
                keepalive_interval=KEEPALIVE,
                keepalive_count_max=2,
                login_timeout=CONNECT_TIMEOUT,
                **options,
            ),
            CONNECT_TIMEOUT,
        )

    def _wait(self, host: SshHost, work: Any, timeout: float) -> Any:
        """What comes of something that a connection does; one that does not answer is given up."""
        try:
            return self._await(work, timeout)
        except asyncssh.SFTPError as error:
            raise HostTrouble(host.name, "use its files", f"{error.reason}") from error
        except (asyncio.TimeoutError, TimeoutError, asyncssh.TimeoutError) as error:
            self._give_up(host)
            raise HostUnreachable(host.name, f"no answer within {timeout:.0f} seconds") from error
        except BROKEN as error:
            self._give_up(host)
            raise HostUnreachable(host.name, _told(error)) from error

    def _give_up(self, host: SshHost) -> None:
        connection = self._open.pop(host.name, None)
        if connection and self._loop:
            self._loop.call_soon_threadsafe(connection.abort)

    def _await(self, work: Any, timeout: float) -> Any:
        async def bounded() -> Any:
            return await asyncio.wait_for(work, timeout)

        return asyncio.run_coroutine_threadsafe(bounded(), self._thread()).result()

    def _thread(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                logging.getLogger("asyncssh").setLevel(logging.CRITICAL)  # its errors come as exceptions too
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, daemon=True, name="ssh").start()
                atexit.register(self.close)
            return self._loop

    def _lock_of(self, name: str) -> contextlib.AbstractContextManager[bool]:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())


def jumps(host: SshHost) -> list[SshHost]:
    """The hosts that another is reached through, one through the other.

    What the user's configuration says of it is asked here, so that each of them is met as any host is.
    """
    way = host.jump or _configured_jump(host)
    return [_jump(each.strip()) for each in way.split(",") if each and each.lower() != "none"]


def _jump(written: str) -> SshHost:
    user, _, where = written.rpartition("@")
    address, _, port = where.partition(":")
    return SshHost(address=address, user=user or None, port=int(port) if port else None)


def _configured_jump(host: SshHost) -> str:
    file = Path("~/.ssh/config").expanduser()
    if not os.access(file, os.R_OK):
        return ""
    try:
        told = asyncssh.SSHClientConnectionOptions(
            host=host.address, config=[file], known_hosts=None, client_keys=None, agent_path=None
        )
    except (asyncssh.ConfigParseError, OSError) as error:
        raise ConfigError(f"{file} cannot be read", why=str(error), next_step="mend the line that is named") from error
    return str(told.tunnel or "")


def _bytes(told: Any) -> bytes:
    return told if isinstance(told, bytes) else str(told or "").encode()


def _told(error: BaseException) -> str:
    return str(getattr(error, "reason", "") or getattr(error, "strerror", "") or error or type(error).__name__)
