"""Where a workspace keeps its things: one directory, readable by its owner alone.

Shared by the server and by ``process`` (the command line's end of it), so standard library only and no side effects
on import. It knows paths, not what is in the files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_LONGEST_SOCKET_PATH = 100
KUBELETS = WALLED, PLAIN = "walled", "plain"


@dataclass(frozen=True)
class Home:
    """The map of a workspace's directory."""

    root: Path

    @property
    def endpoint_file(self) -> Path:
        """Address and key, written once the server answers."""
        return self.root / "workspace.json"

    @property
    def identity_file(self) -> Path:
        """Port and key of the last start, used again by the next."""
        return self.root / "identity.json"

    @property
    def lock_file(self) -> Path:
        """Held while a start or a stop is under way."""
        return self.root / "lock"

    @property
    def server_log(self) -> Path:
        """Output of the server."""
        return self.root / "server.log"

    @property
    def database(self) -> Path:
        """Every record."""
        return self.root / "records.sqlite"

    @property
    def settings_file(self) -> Path:
        """What was tuned, if anything was."""
        return self.root / "settings.json"

    @property
    def drafts(self) -> Path:
        """Uploads that are still coming in; on one file system with the projects."""
        return self.root / "uploads"

    @property
    def logs(self) -> Path:
        """Output of workloads and kubelets."""
        return self.root / "logs"

    def workload_log(self, identifier: str) -> Path:
        """Output of one application or job run."""
        return self.logs / f"{identifier}.log"

    def project(self, identifier: str) -> Path:
        """The directory that a project's workloads see as their home."""
        return self.root / "projects" / identifier

    def tools(self, runtime: str) -> Path:
        """First on the PATH of workloads: the runtime's ``python3`` and ``uv``."""
        return self.root / "bin" / runtime

    @property
    def sockets(self) -> Path:
        """Where the kubelets' unix sockets are. Such paths are limited to 107 bytes, so a long home gets a stand-in."""
        usual = self.root / "run"
        if max(len(os.fsencode(usual / f"{kubelet}.sock")) for kubelet in KUBELETS) <= _LONGEST_SOCKET_PATH:
            return usual
        short = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:8]
        return Path(f"/tmp/cai-{os.getuid()}-{short}")  # noqa: S108 - made private below

    def socket(self, kubelet: str) -> Path:
        """A kubelet's unix socket."""
        return self.sockets / f"{kubelet}.sock"

    def tidy(self) -> None:
        """Remove the stand-in for a long home's sockets; called when no kubelet runs."""
        if self.root not in self.sockets.parents:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def make(self) -> None:
        """Create the directories, private to the owner."""
        self.root.mkdir(parents=True, exist_ok=True)
        places = (self.root, self.logs, self.drafts, self.root / "projects", self.root / "bin", self.sockets)
        for directory in places:
            directory.mkdir(mode=0o700, exist_ok=True)
            if directory.stat().st_uid != os.getuid():
                raise PermissionError(f"{directory} belongs to somebody else")
            directory.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, never readable for others (it may hold the key)."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
