"""What a node knows of the batch job that it is: its number, its machine, what it may do, and which ports it has.

A job has no machine of its own: others of its cluster and of other people run beside it, at one address. So it takes a
block of ports before anything else, and holds it to its end. A node that a platform has given a port is no job of ours,
wherever that platform itself may run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cai_deploy.errors import ConfigError
from cai_deploy.node.batch import port_blocks, slurm_commands
from cai_deploy.node.batch.port_blocks import Block, Held
from cai_deploy.node_settings import NodeSettings

CHECKPOINT = 60.0
"""Seconds that a script may take after the warning, when nobody said."""


@dataclass(frozen=True)
class BatchJob:
    """One job of Slurm.

    ``first_port`` is where its block of ports begins: where a person wants it to, and then where it does.
    ``checkpoint`` is in seconds, ``idle`` the text of when a head ends for want of work.
    """

    id: int
    machine: str
    first_port: int | None = None
    checkpoint: float = CHECKPOINT
    hands_over: bool = False
    idle: str = ""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> BatchJob | None:
        """The job that we are in; None when we are in none. Raises ConfigError for a number that is none."""
        job_id = environ.get("SLURM_JOB_ID", "")
        if not job_id or environ.get("CDSW_APP_PORT"):
            return None
        first = environ.get("CAI_DEPLOY_PORTS_FIRST", "")
        try:
            return cls(
                id=int(job_id),
                machine=environ.get("SLURMD_NODENAME", ""),
                first_port=int(first) if first else None,
                checkpoint=float(environ.get("CAI_DEPLOY_CHECKPOINT") or CHECKPOINT),
                hands_over=environ.get("CAI_DEPLOY_HANDOVER", "") == "1",
                idle=environ.get("CAI_DEPLOY_IDLE", ""),
            )
        except ValueError as error:
            raise ConfigError("the job's variables are not readable", why=str(error)) from error

    def ends_at(self) -> datetime | None:
        """When its time limit ends it, as Slurm says now; None when there is none, or Slurm does not say."""
        return slurm_commands.end_of(self.id, os.environ)

    def take_ports(self, cpu: float) -> Held:
        """A block of ports for a node with so many CPUs, ours until it is released. Raises PortTaken."""
        return port_blocks.take(self.id, first=self.first_port, count=port_blocks.blocks_for(cpu))


def on_block(block: Block, settings: NodeSettings) -> NodeSettings:
    """The settings with every port from the block, but those that a person has pinned."""
    pinned = {name: settings.ports[name] for name in settings.pinned_ports if name in settings.ports}
    if settings.role == "worker":
        # On a worker it would be the port of our own door, where a head on the same machine has its GCS.
        pinned.pop("gcs", None)
    return replace(settings, ports={**block.named(), **pinned})
