"""A Slurm at the seam of the queue's client, and a head that says what Ray says, both as a test wants them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cai_deploy import layout
from cai_deploy.access import Access, NoAnswer
from cai_deploy.connection import ConnectionInfo
from cai_deploy.places.slurm import marks
from cai_deploy.places.slurm.answers import Job
from cai_deploy.places.slurm.batch import Submission
from cai_deploy.places.slurm.marks import Mark
from cai_deploy.places.slurm.queue import Queue

HEAD_AT = "192.0.2.1:18059"


class FakeQueue(Queue):
    """Jobs by number. Those that wait for another begin to wait for a machine once that has ended."""

    def __init__(self) -> None:
        super().__init__({})
        self.rows: dict[int, dict[str, Any]] = {}
        self.texts: dict[int, str] = {}
        self.said: list[tuple[str, int]] = []
        self.refuses: Exception | None = None

    def add(self, mark: Mark, state: str = "RUNNING", **more: Any) -> int:
        number = max(self.rows, default=0) + 1
        row = {"job_id": number, "name": mark.job_name, "comment": mark.comment(), "job_state": state, **more}
        self.rows[number] = row
        return number

    def becomes(self, number: int, state: str, **more: Any) -> None:
        self.rows[number] |= {"job_state": state, **more}

    def jobs(self) -> tuple[Job, ...]:
        return tuple(Job.model_validate(row) for row in self.rows.values())

    def of(self, cluster: str, owner: str) -> list[tuple[Mark, Job]]:
        return marks.ours(self.jobs(), cluster, owner)

    def submit(self, submission: Submission) -> int:
        if self.refuses:
            raise self.refuses
        assert submission.script.stat().st_mode & 0o077 == 0, "others may read what the script holds"
        waits = {} if submission.after is None else {"dependency": f"afterany:{submission.after}(unfulfilled)"}
        number = self.add(submission.mark.with_ticket("t"), "PENDING", state_reason="None", **waits)
        self.texts[number] = submission.script.read_text(encoding="utf-8")
        self.said.append(("submit", number))
        return number

    def warn(self, job_id: int, signal: str = "USR1") -> None:
        self.said.append((signal, job_id))

    def cancel(self, job_ids: Iterable[int]) -> None:
        for number in job_ids:
            self.said.append(("cancel", number))
            self.ends(number, "CANCELLED")

    def ends(self, number: int, state: str = "COMPLETED", **more: Any) -> None:
        self.becomes(number, state, **more)
        for row in self.rows.values():
            if row.get("dependency") == f"afterany:{number}(unfulfilled)":
                row["dependency"] = ""


class FakeDoors:
    """What the head at HEAD_AT answers with; None for nothing."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] | None = None
        self.posted: list[tuple[str, Mapping[str, Any]]] = []

    def get_json(self, name: str, path: str, /, *, token: str = "") -> dict[str, Any]:
        if self.nodes is None or name != HEAD_AT:
            raise NoAnswer(f"{name}{path} does not answer")
        return {"nodes": [{"name": name, **told} for name, told in self.nodes.items()]}

    def post_json(self, name: str, path: str, body: Mapping[str, Any], /, *, token: str = "") -> dict[str, Any]:
        self.posted.append((path, body))
        return {"accepted": True}

    def access(self, name: str, token: str = "", /) -> Access:
        return Access(f"http://{name}", {"X-Ray-Authorization": f"Bearer {token}"} if token else {})


def alive(epoch: int = 0, **more: Any) -> dict[str, Any]:
    """A node as the head lists it."""
    return {"state": "ALIVE", "address": "192.0.2.2", "labels": {"cai-deploy/epoch": str(epoch)}, **more}


def head_says_where(root: Path, cluster: str = "ray", started_at: str = "2026-11-21T14:36:20+00:00") -> None:
    """Write the connection file, and the token beside it."""
    info = ConnectionInfo(
        cluster=cluster,
        epoch=1,
        node_address="192.0.2.1",
        gcs_address="192.0.2.1:18049",
        client_address="192.0.2.1:18051",
        dashboard_address=HEAD_AT,
        dashboard_url="",
        ray_version="2.60.0",
        python_version="3.11",
        started_at=started_at,
    )
    file = root / layout.connection_file(cluster)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(info.to_json(), encoding="utf-8")
    (root / layout.token_file(cluster)).write_text("secret-token", encoding="utf-8")


def mark_of(request: Mapping[str, Any]) -> Mark:
    """The mark in a request, as plain data."""
    return Mark(**json.loads(json.dumps(request["mark"])))
