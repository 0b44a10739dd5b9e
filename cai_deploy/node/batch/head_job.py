"""A head's own file, by the number of its job: what the connection file says, and what people know a job by.

It is there while the head is. The connection file tells where a cluster's head is now; this one, where that very job
is.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from cai_deploy.connection import ConnectionInfo
from cai_deploy.node.batch.batch_job import BatchJob


class HeadJob:
    """The file of the head that is ``job``, whose ports begin at ``port_offset``. ``tell`` hears what went wrong."""

    def __init__(self, path: Path, job: BatchJob, port_offset: int, tell: Callable[[str], None]) -> None:
        self._path = path
        self._job = job
        self._port_offset = port_offset
        self._tell = tell

    def write(self, info: ConnectionInfo) -> None:
        """Have it say what ``info`` says."""
        job = {
            "job_id": self._job.id,
            "head_node": self._job.machine,
            "port_offset": self._port_offset,
            "started": info.started_at,
        }
        scratch = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            scratch.write_text(json.dumps({**asdict(info), **job}, indent=2) + "\n", encoding="utf-8")
            scratch.replace(self._path)
        except OSError as error:
            self._tell(f"{self._path.name} cannot be written: {error}")

    def remove(self) -> None:
        """When the head has ended."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
