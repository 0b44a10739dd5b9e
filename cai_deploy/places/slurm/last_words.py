"""What a node wrote last: in its own log, or, when its job did not get so far, in what the job printed."""

from __future__ import annotations

from pathlib import Path

from cai_deploy import layout
from cai_deploy.places.directory import DirectoryFiles
from cai_deploy.shell import last_lines


def last_words(root: Path, cluster: str, node: str) -> str:
    """The end of the file that was written last, "" when there is none: an older one tells of an earlier job."""
    paths = (layout.node_log_file(cluster, node), layout.job_output_file(cluster, node))
    texts = {path: text for path in paths if (text := DirectoryFiles(root).read_text(path))}
    newest = max(texts, key=lambda path: _written(root / path), default="")
    return last_lines(texts.get(newest, ""))


def _written(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
