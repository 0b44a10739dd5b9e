"""What a specification says of plain hosts that are reached over SSH, as values.

Pure, and below the specification, which holds it. What a node is (its CPUs, its memory) stays with the group; a host
says which groups it takes and how much of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from cai_deploy.spec_texts import CONTROL

ACCEPT_NEW = "CAI_DEPLOY_ACCEPT_NEW_HOST_KEYS"
"""Set to 1, hosts that are met for the first time are trusted, as `ssh -o StrictHostKeyChecking=accept-new` does."""

Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.:%-]*[A-Za-z0-9])?$", max_length=253)]
User = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.@-]*\$?$", max_length=100)]
Jump = Annotated[str, StringConstraints(pattern=r"^([A-Za-z_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9_.-]*(:\d{1,5})?$")]


class SshHost(BaseModel):
    """One host. Of what is left out, the user's own SSH configuration decides, or the host itself.

    ``address`` is where SSH reaches it, and its name here; ``bind`` is the address at which the other nodes reach what
    runs on it, where that is another one. ``groups`` are those that it takes, all of them when it names none. ``jump``
    is the host through which it is reached (``user@host:port``). ``directory`` holds all that is ours on it, ``python``
    runs the launchers and makes the environment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    address: Address
    user: User | None = None
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    identity_file: str | None = None
    groups: tuple[str, ...] = ()
    cpu: Annotated[float, Field(gt=0, le=4096)] | None = None
    gpu: Annotated[int, Field(ge=0, le=64)] | None = None
    jump: Jump | None = None
    bind: Address | None = None
    directory: str | None = None
    python: str = "python3"

    @field_validator("identity_file", "directory")
    @classmethod
    def _one_path(cls, path: str | None) -> str | None:
        if path is None:
            return None
        if CONTROL.search(path) or not path.startswith(("/", "~/")):
            raise ValueError("a path is one line, and absolute or below ~/")
        return path.rstrip("/")

    @field_validator("python")
    @classmethod
    def _one_program(cls, python: str) -> str:
        if not python or CONTROL.search(python):
            raise ValueError("python is the name or the path of one program")
        return python

    @property
    def name(self) -> str:
        """What the host is called: its address, and its port where one machine has several."""
        return self.address if self.port in (None, 22) else f"{self.address}:{self.port}"

    def takes(self, group: str) -> bool:
        """Whether nodes of ``group`` may run on it."""
        return not self.groups or group in self.groups

    def directory_of(self, cluster: str) -> str:
        """Where everything of a cluster stands on it."""
        return self.directory or f"~/.cai-deploy-hosts/{cluster}"


def problems(hosts: Sequence[SshHost], groups: Sequence[str], asked: Mapping[str, object]) -> list[str]:
    """What keeps ``hosts`` from being those of a cluster of these ``groups``, for which more is ``asked``."""
    found = [
        f"{name}: not on ssh, where a launcher runs on each host and nobody looks after it"
        for name in asked
        if asked[name]
    ]
    if not hosts:
        return [*found, "hosts: name the hosts that nodes are to run on"]
    names = [host.name for host in hosts]
    found += [f"hosts: {name} is there twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    for host in hosts:
        unknown = [group for group in host.groups if group not in groups]
        found += [f"hosts: {host.name} takes {group}, and there is no such group" for group in unknown]
    found += [f"hosts: none takes {group}" for group in groups if not any(host.takes(group) for host in hosts)]
    return found


def head_host(hosts: Sequence[SshHost], head: str) -> SshHost | None:
    """Where the head is: on the host that names it, or else on the first that takes any group. None for no hosts."""
    named = [host for host in hosts if head in host.groups]
    return next(iter((*named, *(host for host in hosts if host.takes(head)))), None)
