"""The files of a project as the API shows them, in memory: nothing is ever replaced by an upload."""

from __future__ import annotations

import builtins
from typing import cast

from cai_deploy.api.errors import NotFound
from cai_deploy.api.files import Files
from cai_deploy.api.schemas import FileInfo
from cai_deploy.places.cai.project_files import CaiFiles


class FakeFiles:
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.calls: list[str] = []

    def create(self, project_id: str, path: str, content: bytes) -> None:
        self.calls.append(f"create {path}")
        self.texts.setdefault(path, content.decode())

    def upload(self, project_id: str, path: str, content: bytes) -> None:
        self.calls.append(f"upload {path}")
        self.texts[path] = content.decode()

    def delete(self, project_id: str, path: str) -> None:
        self.calls.append(f"delete {path}")
        for gone in [each for each in self.texts if f"{each}/".startswith(f"{path}/")]:
            self.texts.pop(gone, None)

    def read_text(self, project_id: str, path: str) -> str | None:
        self.calls.append(f"read {path}")
        return self.texts.get(path)

    def download_from(self, project_id: str, path: str, start: int) -> bytes:
        if path not in self.texts:
            raise missing(path)
        return self.texts[path].encode()[start:]

    def rename(self, project_id: str, path: str, to: str) -> None:
        found = [each for each in self.texts if f"{each}/".startswith(f"{path}/")]
        if not found:
            raise missing(path)
        for each in found:
            self.texts[to + each.removeprefix(path)] = self.texts.pop(each)

    def exists(self, project_id: str, path: str) -> bool:
        return any(f"{each}/".startswith(f"{path}/") for each in self.texts)

    def list(self, project_id: str, path: str) -> builtins.list[FileInfo]:
        self.calls.append(f"list {path}")
        root = f"{path}/" if path else ""
        below = {each.removeprefix(root): text for each, text in self.texts.items() if each.startswith(root)}
        if not below:
            raise missing(path)
        directories = {name.partition("/")[0] for name in below if "/" in name}
        files = [FileInfo(path=name, file_size=len(text)) for name, text in below.items() if "/" not in name]
        return sorted([*files, *(FileInfo(path=name, is_dir=True) for name in directories)], key=lambda file: file.path)


def missing(path: str) -> NotFound:
    return NotFound(404, "no such file", method="GET", path=path)


def project_files(files: object) -> CaiFiles:
    """The files of the project ``p1``, whichever fake keeps them."""
    return CaiFiles(cast(Files, files), "p1")
