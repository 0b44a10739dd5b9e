"""Files that are replaced and must never be missing: what a cluster is to be, and what it last was.

The workspace replaces nothing on upload, so that a file has to go before the next can come. Whoever dies in between
would leave a cluster of which nobody knows what it should be; and a deletion that was sent by one who died may arrive
late, when the next has long been written. So each such file is there twice, one is replaced after the other, and the
second one counts where the first is away.
"""

from __future__ import annotations

from cai_deploy.api.files import Files
from cai_deploy.places.cai.texts import Texts

SPARE = ".spare"


def create(files: Files, project_id: str, path: str, content: str) -> None:
    """Put ``content`` at ``path``, where nothing is. Nothing is deleted, so that nothing can be deleted too late."""
    for each in (path + SPARE, path):
        files.create(project_id, each, content.encode())


def replace(files: Files, project_id: str, path: str, content: str) -> None:
    """Put ``content`` at ``path``; at every moment the old one is there or the new one."""
    for each in (path + SPARE, path):
        files.upload(project_id, each, content.encode())


def read(texts: Texts, project_id: str, path: str) -> str | None:
    """What was last put at ``path``, None for nothing."""
    text = texts.read(project_id, [path])[path]
    return text if text is not None else texts.read(project_id, [path + SPARE])[path + SPARE]
