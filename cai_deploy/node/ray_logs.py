"""The ends of Ray's own logs, kept in the project for readers outside: they go with the pod, and say why Ray ended.

Two files for each node: the logs of the Ray that runs, written again every half minute if there is something new, as a
node that is sick need not end; and those of the Ray that ended last, which its successor must not overwrite. Both are
bounded, so a node costs the shared file system some kilobytes a minute.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cai_deploy.redaction import Redaction, secret_values

EVERY = 30.0
LINES = 200
MOST_CHARACTERS = 16_000
"""Of each log; Ray writes some very long lines."""

READ_BYTES = 200_000
STATISTICS = "[state-dump]"
"""Hundreds of lines each minute, among which the few that say something would be lost."""

SERVICES = (
    "gcs_server",
    "raylet",
    "dashboard",
    "dashboard_agent",
    "runtime_env_agent",
    "log_monitor",
    "ray_client_server",
    "ray_process_exit",
)
KINDS = (".log", ".out", ".err")
WORKER_ERRORS = "worker-*.err"
MOST_WORKERS = 3


class RayLogs:
    """The logs of the one run of Ray in ``temp_dir``. ``tell`` hears what went wrong, once."""

    def __init__(self, temp_dir: Path, running: Path, ended: Path, tell: Callable[[str], None]) -> None:
        self._logs = temp_dir / "session_latest" / "logs"
        self._running = running
        self._ended = ended
        self._tell = tell
        self._last = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._refresh, daemon=True, name="ray's logs")
        self._thread.start()

    def end(self) -> None:
        """Keep them as those of the Ray that ended last. To be called while its directory is still there."""
        if self._over.is_set():
            return
        self._over.set()
        self._thread.join()
        if text := collect(self._logs):
            self._keep(self._ended, text)
            with contextlib.suppress(OSError):
                self._running.unlink(missing_ok=True)

    def _refresh(self) -> None:
        while not self._over.wait(EVERY):
            text = collect(self._logs)
            if text and text != self._last:
                self._keep(self._running, text)
                self._last = text

    def _keep(self, path: Path, text: str) -> None:
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            # Without the directory the whole cluster has been taken away.
            scratch.write_text(text, encoding="utf-8")
            scratch.replace(path)
        except OSError as error:
            self._tell(f"Ray's logs cannot be kept: {error}")


def collect(logs: Path) -> str:
    """The ends of all that is worth reading in the directory ``logs``, one after the other; "" for nothing."""
    parts = ((file.name, tail(file)) for file in _files(logs))
    # What runs in a pod has the platform's secrets in its variables, and programs print what they have.
    redact = Redaction(secret_values(os.environ))
    return redact("\n".join(f"--- {name}\n{text}" for name, text in parts if text))


def tail(file: Path) -> str:
    """The last lines of ``file``, "" when it is empty or cannot be read."""
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(size - READ_BYTES, 0))
            text = opened.read(READ_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(STATISTICS)]
    kept = "".join(f"{line}\n" for line in lines[-LINES:])
    return (
        kept if len(kept) <= MOST_CHARACTERS else kept[-MOST_CHARACTERS:].partition("\n")[2] or kept[-MOST_CHARACTERS:]
    )


def _files(logs: Path) -> Iterator[Path]:
    for service in SERVICES:
        yield from (logs / f"{service}{kind}" for kind in KINDS)
    yield from sorted(logs.glob(WORKER_ERRORS), key=_written, reverse=True)[:MOST_WORKERS]


def _written(file: Path) -> tuple[bool, float]:
    """Those that hold something first, the newest of them before others."""
    try:
        about = file.stat()
    except OSError:
        return (False, 0.0)
    return (about.st_size > 0, about.st_mtime)
