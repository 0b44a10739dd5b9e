"""A node's story, told twice: on stdout for the platform, and in a project file for readers outside.

The platform's API has no application logs, so the file is what ``logs`` shows. Lines carry the time in UTC, as pods and
people are in different zones.
"""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TextIO

KEPT_BYTES = 2_000_000


class Journal:
    """Appends to ``path``, and prints to ``output``; an old story that has grown long is moved aside first."""

    def __init__(self, path: Path, output: TextIO | None = None) -> None:
        self._output = output
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > KEPT_BYTES:
            path.replace(path.with_suffix(".old.log"))
        self._file = path.open("a", encoding="utf-8", errors="replace")
        self._lock = threading.Lock()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def tell(self, line: str) -> None:
        """One line, safe to call from several threads."""
        stamped = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ} {line.rstrip()}"
        with self._lock:
            print(stamped, file=self._output, flush=True)
            if not self._file.closed:
                self._file.write(stamped + "\n")
                self._file.flush()
