"""The ports of a cluster's nodes, and which of them somebody chose."""

from __future__ import annotations

from pydantic import model_validator

from cai_deploy.spec.part import Part, Port


class Ports(Part):
    """Ray's ports. Those without a default are left to Ray unless given; a mesh with strict rules wants all of them."""

    gcs: Port = 6379
    dashboard: Port = 8265
    client: Port = 10001
    serve: Port = 8000
    node_manager: Port | None = None
    object_manager: Port | None = None
    dashboard_agent: Port | None = None
    dashboard_agent_grpc: Port | None = None
    runtime_env_agent: Port | None = None
    metrics: Port | None = None
    worker_min: Port | None = None
    worker_max: Port | None = None

    @model_validator(mode="after")
    def _no_clash(self) -> Ports:
        seen: dict[int, str] = {}
        for name, port in self.known().items():
            if name.startswith("worker_"):
                continue
            if port in seen:
                raise ValueError(f"{name} and {seen[port]} are both {port}")
            seen[port] = name
        if (self.worker_min is None) != (self.worker_max is None):
            raise ValueError("worker_min and worker_max go together")
        if self.worker_min is not None and self.worker_max is not None and self.worker_min > self.worker_max:
            raise ValueError(f"worker_min {self.worker_min} is above worker_max {self.worker_max}")
        for port, name in seen.items():
            if self.worker_min and self.worker_max and self.worker_min <= port <= self.worker_max:
                raise ValueError(f"{name} ({port}) lies among the worker ports {self.worker_min} to {self.worker_max}")
        return self

    def known(self) -> dict[str, int]:
        """The ports that have a number, by name."""
        return {name: port for name, port in self.model_dump().items() if port is not None}

    def pinned(self) -> tuple[str, ...]:
        """The ports that somebody chose; the others may move when a program holds them."""
        return tuple(sorted(name for name in self.known() if name in self.model_fields_set))
