"""What the terms of jobs are tested with: a project, a head's word, and nodes that have no Ray."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from cai_deploy import connection
from cai_deploy.connection import ConnectionInfo
from cai_deploy.node.batch.batch_job import BatchJob
from cai_deploy.node.gcs import RayNode
from cai_deploy.node.orders import Orders
from cai_deploy.node.pod import Pod
from cai_deploy.node_settings import NodeSettings
from tests.unit.node.fake_gcs import FakeGcs

WORKER = NodeSettings("ray", "worker", "worker", "ray-1", "2.60.0", 1, 1, stop_timeout=3.0)
INFO = ConnectionInfo("ray", 1, "10.0.0.1", "10.0.0.1:6379", "", "127.0.0.1:1", "", "2.60.0", "3.11.7", "2026-11-21")
JOB = BatchJob(17, "n1", checkpoint=60.0)


class FakeWorker:
    """A worker that has joined, or has not yet."""

    ray_variables: dict[str, str] = {}  # noqa: RUF012 (nobody changes it)

    def __init__(self, door: str = "127.0.0.1:10") -> None:
        self.door = door
        self.began = time.time()
        self.carries = False

    def carry(self) -> None:
        self.carries = True


class Setting:
    """One node of a job: its project, what it is told, and what it tells."""

    def __init__(self, project: Path) -> None:
        self.pod = Pod("client-17", project, "127.0.0.1", 8100, "", "")
        self.orders = Orders()
        self.told: list[str] = []
        self.left: list[float] = []
        self.info = INFO
        self.gcs = FakeGcs(RayNode(b"1", "client-17", "ALIVE", started=int(time.time() * 1000) + 1000))
        self.says()

    def says(self, **words: Any) -> None:
        """The head, in the connection file."""
        self.info = replace(self.info, **words)
        connection.write(self.pod.connection_file("ray"), self.info)

    def leave(self, pod: Pod, word: object, seconds: float, *others: object) -> None:
        """In the place of the real one, which asks a head."""
        self.left.append(seconds)

    @property
    def story(self) -> str:
        return "\n".join(self.told)
