"""What a specification may ask of Docker Compose, as values.

Pure, and below the specification, which holds it. What a node is (its CPUs, memory, GPUs) stays with its group; what a
container is for us (its command, its labels, its network) is never a person's to say.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from cai_deploy.spec_texts import CONTROL, Directory, Line

OURS = frozenset(
    {
        "build",
        "command",
        "container_name",
        "cpus",
        "deploy",
        "entrypoint",
        "environment",
        "extends",
        "healthcheck",
        "hostname",
        "image",
        "init",
        "labels",
        "mem_limit",
        "network_mode",
        "networks",
        "ports",
        "profiles",
        "restart",
        "scale",
        "shm_size",
        "stop_grace_period",
        "stop_signal",
        "user",
        "volumes",
        "working_dir",
    }
)
"""Keys of a service on which a node depends, or that have a key of their own."""

LOOPBACK = "127.0.0.1"

Word = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\s\x00-\x1f\x7f]+$")]


class Compose(BaseModel):
    """How a cluster lives on Docker Compose.

    ``directory`` is the project directory, which its containers share; None is where one stands. ``image`` has the
    locked environment in it already; without one an image is built on top of ``base``. ``publish`` is the address of
    this host at which the dashboard and the client port are open. With an ``address`` the head is on this host's own
    network instead, where workers of other hosts reach it. ``volumes`` are more of them, in Compose's short notation;
    ``extra`` takes any other key of a service.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    directory: Directory | None = None
    image: Word | None = None
    base: Word | None = None
    publish: str = LOOPBACK
    address: str | None = None
    volumes: tuple[Line, ...] = ()
    extra: dict[str, Any] = Field(default_factory=dict)

    @field_validator("publish", "address")
    @classmethod
    def _an_address(cls, address: str | None) -> str | None:
        try:
            return None if address is None else str(ipaddress.ip_address(address))
        except ValueError as error:
            raise ValueError(f"{address!r} is no address: write one of this machine, like {LOOPBACK}") from error

    @field_validator("address")
    @classmethod
    def _one_of_this_machine(cls, address: str | None) -> str | None:
        if address is not None and (":" in address or ipaddress.ip_address(address).is_unspecified):
            raise ValueError(f"{address} is not where others reach this machine: write its own IPv4 address")
        return address

    @field_validator("volumes")
    @classmethod
    def _short(cls, volumes: tuple[str, ...]) -> tuple[str, ...]:
        for volume in volumes:
            if CONTROL.search(volume) or ":" not in volume:
                raise ValueError(f"{volume!r} is not a volume: write SOURCE:TARGET or SOURCE:TARGET:ro")
        return volumes

    @field_validator("extra")
    @classmethod
    def _only_what_is_left(cls, extra: dict[str, Any]) -> dict[str, Any]:
        for name in extra:
            if name in OURS:
                raise ValueError(f"{name} is cai_deploy's: a node depends on it")
        return extra

    @property
    def asked_at(self) -> str:
        """The address at which this host itself finds what is published."""
        return {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(self.publish, self.publish)  # noqa: S104 (compared only)
