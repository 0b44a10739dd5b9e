"""What the nodes have written, as if it stood in one place: each host keeps what was written on it.

Read only, but for moving a cluster's logs aside, which each host does with its own.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import TypeVar

from cai_deploy.places.files import Entry
from cai_deploy.places.ssh.crowd import ask_all
from cai_deploy.places.ssh.sftp_files import SftpFiles

Result = TypeVar("Result")


class SpreadFiles:
    """The files of all hosts that answer, see ``ProjectFiles``; of several of one name, the largest counts."""

    def __init__(self, hosts: Mapping[str, SftpFiles]) -> None:
        self._hosts = hosts
        self._where: dict[str, str] = {}

    def list(self, path: str) -> builtins.list[Entry]:
        """What is in a directory on any host."""
        found: dict[str, Entry] = {}
        for name, entries in self._ask(lambda files: files.list(path)).items():
            for entry in entries:
                if entry.path not in found or entry.file_size > found[entry.path].file_size:
                    found[entry.path] = entry
                    self._where[f"{path}/{entry.path}"] = name
        return sorted(found.values(), key=lambda entry: entry.path)

    def exists(self, path: str) -> bool:
        """Whether any host has it."""
        return any(self._ask(lambda files: files.exists(path)).values())

    def read_text(self, path: str) -> str | None:
        """The text of a file, None for none."""
        content = self.download_from(path, 0)
        return content if content is None else content.decode("utf-8", errors="replace")

    def download_from(self, path: str, start: int) -> bytes | None:
        """A part of a file, None for none."""
        if path not in self._where:
            self.list(path.rpartition("/")[0])
        where = self._where.get(path)
        return self._hosts[where].download_from(path, start) if where else None

    def upload(self, path: str, content: bytes) -> None:
        """See ``create``."""
        self.create(path, content)

    def create(self, path: str, content: bytes) -> None:
        """Nobody writes here: which host should have it?"""
        raise NotImplementedError(path)

    def delete(self, path: str) -> None:
        """On every host."""
        self._ask(lambda files: files.delete(path))

    def rename(self, path: str, to: str) -> bool:
        """On every host that has it."""
        self._where.clear()
        return any(self._ask(lambda files: files.rename(path, to)).values())

    def _ask(self, ask: Callable[[SftpFiles], Result]) -> Mapping[str, Result]:
        hosts = [files.host for files in self._hosts.values()]
        return ask_all(hosts, lambda host: ask(self._hosts[host.name])).done
