"""A GCS without Ray: nodes in a list, and what was asked of them. It drains as Ray does, which is to say whatever."""

from __future__ import annotations

from dataclasses import replace

from cai_deploy.node.gcs import Actor, Driver, Gcs, GcsAway, RayNode, Submission


class FakeGcs(Gcs):
    def __init__(self, *nodes: RayNode) -> None:
        super().__init__("127.0.0.1:1")
        self.listed = list(nodes)
        self.asked: list[tuple[bytes, str, float]] = []
        self.noted: dict[bytes, float] = {}
        self.refusal = ""
        self.connected: list[Driver] = []
        self.submitted: dict[str, str] = {}
        self.listed_jobs: list[Submission] = []
        self.unreserved: dict[bytes, dict[str, float]] = {}
        self.living: list[Actor] = []
        self.unplaced = 0
        self.away = False

    def nodes(self) -> list[RayNode]:
        if self.away:
            raise GcsAway("no GCS listens")
        return list(self.listed)

    def drivers(self) -> list[Driver]:
        return list(self.connected)

    def submissions(self) -> dict[str, str]:
        return dict(self.submitted)

    def jobs(self) -> list[Submission]:
        return list(self.listed_jobs)

    def free(self) -> dict[bytes, dict[str, float]]:
        return dict(self.unreserved)

    def actors(self) -> list[Actor]:
        return list(self.living)

    def waiting(self) -> int:
        return self.unplaced

    def drain(self, node: bytes, reason: str, deadline: float) -> tuple[bool, str]:
        assert node in self.noted, "who looks at once must find that it was asked for"
        self.asked.append((node, reason, deadline))
        return not self.refusal, self.refusal

    def end(self, node: bytes) -> None:
        self.listed = [replace(other, state="DEAD") if other.id == node else other for other in self.listed]

    def note_drain(self, node: bytes, deadline: float) -> None:
        self.noted[node] = deadline

    def forget_drain(self, node: bytes) -> None:
        del self.noted[node]

    def drains(self) -> set[bytes]:
        return set(self.noted)

    def drain_deadline(self, node: bytes) -> float | None:
        return self.noted.get(node)

    def state(self, node: bytes) -> str:
        return next(other.state for other in self.listed if other.id == node)
