"""What a cluster's nodes have written, in files of its project directory; and where that stays when the cluster goes.

Each node's agent writes into the project directory, as not every place has logs of its own. A file outlives its node,
and ``down`` moves them all aside at once: those of one cluster, until it is taken down the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone

from cai_deploy import layout
from cai_deploy.places.files import ProjectFiles


class LogFiles:
    """The files in one ``directory``. ``now`` is the place's time; ``redact`` goes over what is read."""

    def __init__(
        self,
        files: ProjectFiles,
        directory: str,
        *,
        now: Callable[[], float],
        kept: bool,
        redact: Callable[[str], str],
    ) -> None:
        self._files = files
        self._now = now
        self._directory = directory
        self._redact = redact
        self.kept = kept

    def sizes(self) -> dict[str, int]:
        """The bytes of each file; none when nothing was written."""
        return dict(_sizes(self._files, self._directory))

    def read(self, file: str, start: int = 0) -> tuple[list[str], int]:
        """The whole lines from byte ``start`` on, and the byte after them; a line may still be being written."""
        content = self._files.download_from(f"{self._directory}/{file}", start)
        if content is None:
            return [], 0
        whole = content[: content.rfind(b"\n") + 1]
        text = self._redact(whole.decode("utf-8", errors="replace"))
        return text.split("\n")[:-1], start + len(whole)

    def now(self) -> datetime:
        """The place's time, which is its nodes' too."""
        return datetime.fromtimestamp(self._now(), timezone.utc)


def open_logs(files: ProjectFiles, cluster: str, *, now: Callable[[], float], redact: Callable[[str], str]) -> LogFiles:
    """The files of a cluster that is there, or else what it left when it went."""
    running, kept = layout.logs_dir(cluster), layout.kept_logs_dir(cluster)
    gone = not _sizes(files, running) and bool(_sizes(files, kept))
    return LogFiles(files, kept if gone else running, now=now, kept=gone, redact=redact)


def keep_logs(files: ProjectFiles, cluster: str) -> None:
    """Move the files of a cluster aside, in place of what was kept before. Raises DeployError where that cannot be.

    Nothing goes that was kept before there is something to take its place: a run that died in between is repeated.
    """
    running, kept = layout.logs_dir(cluster), layout.kept_logs_dir(cluster)
    if not _sizes(files, running):
        return
    files.delete(kept)
    files.rename(running, kept)  # none there any more: moved already, by a request whose answer was lost


def _sizes(files: ProjectFiles, directory: str) -> Mapping[str, int]:
    return {entry.path: entry.file_size for entry in files.list(directory) if not entry.is_dir}
