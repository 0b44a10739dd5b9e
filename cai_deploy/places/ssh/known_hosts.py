"""The keys of hosts that are known here: the same files that OpenSSH reads, and the user's own is added to.

A key that is known to be another one is never taken, whatever was asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from cai_deploy.errors import ConfigError
from cai_deploy.places.ssh.errors import HostKeyChanged, HostKeyUnknown

SSH_PORT = 22
EVERYBODYS = Path("/etc/ssh/ssh_known_hosts")

Question = Callable[[str], bool]
"""Asked at a first contact; whether the host is to be trusted."""


@dataclass(frozen=True)
class Shown:
    """The key that a host showed, and whether it is known under another one."""

    host: str
    address: str
    port: int
    key: asyncssh.SSHKey
    changed: bool


class KnownHosts:
    """``trust`` is asked about each host that was never met. Several threads may use it at once."""

    def __init__(self, trust: Question, own: Path | None = None) -> None:
        self.own = own or Path("~/.ssh/known_hosts").expanduser()
        self._trust = trust
        self._lock = threading.Lock()

    def read(self) -> asyncssh.SSHKnownHosts:
        """All that are known. Raises ConfigError for a file that cannot be read."""
        try:
            texts = [file.read_text(encoding="utf-8") for file in (self.own, EVERYBODYS) if file.is_file()]
            return asyncssh.import_known_hosts("\n".join(texts))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self.own} cannot be read", why=str(error), next_step="mend the line that is named, or remove it"
            ) from error

    def is_known(self, host: str, address: str, port: int) -> bool:
        """Whether any key of the host is known, or of an authority that signs its keys.

        Behind one address there may be several hosts, each with a port: what is known of one says nothing of another.
        """
        known = self.read()
        names = [each if port == SSH_PORT else f"[{each}]:{port}" for each in (host, address) if each]
        matches = [asyncssh.match_known_hosts(known, name, "", None) for name in names]
        return any(keys or authorities for keys, authorities, *_ in matches)

    def meet(self, name: str, shown: Shown) -> None:
        """Trust a host from now on. Raises HostKeyChanged; HostKeyUnknown when it is not to be trusted."""
        algorithm, fingerprint = shown.key.get_algorithm(), shown.key.get_fingerprint()
        if shown.changed:
            raise HostKeyChanged(name, algorithm, fingerprint, str(self.own))
        with self._lock:
            if self.is_known(shown.host, shown.address, shown.port):
                return  # met by another thread meanwhile; the next connection tells whether under this very key
            if not self._trust(f"{name} is not known here; its {algorithm} key is {fingerprint}"):
                raise HostKeyUnknown(name, algorithm, fingerprint, str(self.own))
            self._add(shown)

    def _add(self, shown: Shown) -> None:
        pattern = shown.host if shown.port == SSH_PORT else f"[{shown.host}]:{shown.port}"
        public = shown.key.export_public_key("openssh").decode().split()[:2]
        self.own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = self.own.read_bytes() if self.own.is_file() else b""
        with self.own.open("a", encoding="utf-8") as file:
            start = "" if not before or before.endswith(b"\n") else "\n"
            file.write(f"{start}{pattern} {' '.join(public)}\n")
