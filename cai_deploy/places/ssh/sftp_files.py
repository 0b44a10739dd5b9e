"""The files of a project directory on a host, over SFTP.

As in a directory that is here: a file is replaced by one that was written beside it, and one that was its owner's alone
stays so.
"""

from __future__ import annotations

import builtins
import stat
import uuid
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import asyncssh

from cai_deploy.errors import ConfigError
from cai_deploy.places.files import Entry
from cai_deploy.places.ssh.connections import Connections
from cai_deploy.ssh_hosts import SshHost

NOT_THERE = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory)


@dataclass(frozen=True)
class SftpFiles:
    """The files below ``root`` of one host, see ``ProjectFiles``."""

    connections: Connections
    host: SshHost
    root: str

    def list(self, path: str) -> builtins.list[Entry]:
        """What is in a directory, by name."""
        at = self._at(path)

        async def work(client: Any) -> builtins.list[Entry]:
            try:
                found = await client.readdir(at)
            except NOT_THERE:
                return []
            entries = [_entry(str(each.filename), each.attrs) for each in found if each.filename not in (".", "..")]
            return sorted(entries, key=lambda entry: entry.path)

        there: builtins.list[Entry] = self._do(work)
        return there

    def exists(self, path: str) -> bool:
        """Whether anything is there."""
        at = self._at(path)
        return bool(self._do(lambda client: client.exists(at)))

    def read_text(self, path: str) -> str | None:
        """The text of a file, None for none."""
        content = self.download_from(path, 0)
        return content if content is None else content.decode("utf-8", errors="replace")

    def download_from(self, path: str, start: int) -> bytes | None:
        """A part of a file, None for none."""
        at = self._at(path)

        async def work(client: Any) -> bytes | None:
            try:
                async with client.open(at, "rb") as file:
                    left = ((await file.stat()).size or 0) - start
                    content: bytes = await file.read(left, start) if left > 0 else b""
                    return content
            except NOT_THERE:
                return None

        part: bytes | None = self._do(work)
        return part

    def upload(self, path: str, content: bytes, mode: int | None = None) -> None:
        """Put content in place of what is there, with ``mode`` if it is new."""
        at = self._at(path)
        beside = str(PurePosixPath(at).with_name(f".{PurePosixPath(at).name}.{uuid.uuid4().hex}"))

        async def work(client: Any) -> None:
            await client.makedirs(str(PurePosixPath(at).parent), exist_ok=True)
            try:
                permissions = stat.S_IMODE((await client.stat(at)).permissions)
            except NOT_THERE:
                permissions = 0o644 if mode is None else mode
            attributes = asyncssh.SFTPAttrs(permissions=permissions)
            try:
                async with client.open(beside, "wb", attributes) as file:
                    await file.write(content)
                await client.posix_rename(beside, at)
            except BaseException:
                if await client.exists(beside):
                    await client.remove(beside)
                raise

        self._do(work)

    def create(self, path: str, content: bytes) -> None:
        """Put content where nothing is."""
        self.upload(path, content)

    def delete(self, path: str) -> None:
        """Remove a file, a link, or a directory with all that is in it."""
        at = self._at(path)

        async def work(client: Any) -> None:
            try:
                if await client.isdir(at) and not await client.islink(at):
                    await client.rmtree(at)
                else:
                    await client.remove(at)
            except NOT_THERE:
                return

        self._do(work)

    def rename(self, path: str, to: str) -> bool:
        """Move a file or a directory; False when it is not there."""
        source, target = self._at(path), self._at(to)

        async def work(client: Any) -> bool:
            if not await client.exists(source):
                return False
            await client.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
            try:
                await client.posix_rename(source, target)
            except NOT_THERE:
                return False
            return True

        return bool(self._do(work))

    def _do(self, work: Any) -> Any:
        return self.connections.sftp(self.host, work)

    def _at(self, path: str) -> str:
        pure = PurePosixPath(path)
        if ".." in pure.parts or pure.is_absolute() or "\0" in path:
            raise ConfigError(f"{path!r} is not a path below the cluster's directory", next_step=f"stay in {self.root}")
        return str(PurePosixPath(self.root) / pure)


def _entry(name: str, attributes: Any) -> Entry:
    is_dir = stat.S_ISDIR(attributes.permissions or 0)
    return Entry(name, is_dir, 0 if is_dir else int(attributes.size or 0))
