"""The request for one node: its batch script, and the very command that submits it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cai_deploy import layout
from cai_deploy.places.node_groups import role_of
from cai_deploy.places.node_plan import NodePlan
from cai_deploy.places.slurm.batch import NodeJob, Submission, render_script
from cai_deploy.places.slurm.marks import Mark, owner_of
from cai_deploy.slurm_options import Slurm, SlurmOptions
from cai_deploy.spec import HEAD
from cai_deploy.state import Request, WantedNode

PLACE = "slurm"

UNCLAIMED = "(known once the change begins)"
"""In place of an epoch, before the cluster is claimed."""


@dataclass(frozen=True)
class GroupPlan(NodePlan):
    """One group's jobs."""

    slurm: Slurm

    @cached_property
    def options(self) -> SlurmOptions:
        """What is asked of Slurm for each node."""
        return self.slurm.under(self.group.slurm)

    @cached_property
    def agent(self) -> dict[str, str]:
        """What each node's agent has to know of Slurm."""
        told = {"CAI_DEPLOY_CHECKPOINT": str(self.slurm.checkpoint)}
        if self.group.name != HEAD:
            return told
        if self.slurm.ports_first is not None:
            told["CAI_DEPLOY_PORTS_FIRST"] = str(self.slurm.ports_first)
        if self.slurm.idle is not None:
            told["CAI_DEPLOY_IDLE"] = json.dumps(self.slurm.idle.model_dump(mode="json"), sort_keys=True)
        if self.slurm.handover:
            told["CAI_DEPLOY_HANDOVER"] = "1"
        return told

    @property
    def given(self) -> dict[str, Any]:
        """Their shape, what is asked of Slurm, and what agents are told of it."""
        return {**super().given, "slurm": self.options.model_dump(mode="json"), "agent": self.agent}


@dataclass(frozen=True)
class Where:
    """The shared ``directory``, the digest of the ``code`` that nodes run, the ``epoch`` of our claim on a cluster."""

    directory: str
    code: str
    epoch: int


def wanted_node(node: str, plan: GroupPlan, where: Where) -> WantedNode:
    """The node called ``node``."""
    settings, group = plan.settings, plan.group
    mark = Mark(settings.cluster, owner_of(where.directory), node, group.name, plan.fingerprint, where.epoch)
    job = NodeJob(
        mark=mark,
        cpu=group.cpu,
        memory_gb=group.memory_gb,
        gpu=group.gpu,
        options=plan.options,
        directory=where.directory,
        output=layout.job_output_file(mark.cluster, node),
        command=("python3", plan.program),
        variables={**group.env, **_variables(node, plan, where)},
    )
    request = _request(job, mark, plan)
    return WantedNode(
        name=node,
        role=role_of(node),
        group=group.name,
        fingerprint=mark.fingerprint,
        create=request,
        update=request,
    )


def submission(request: Request, root: Path, after: int | None = None) -> Submission:
    """What is handed to Slurm for ``request``; the ticket in its command is new each time, and so left out of it."""
    mark = Mark(**request["mark"])
    return Submission(root / request["script"], mark, request["partition"], request["account"], after)


def _request(job: NodeJob, mark: Mark, plan: GroupPlan) -> Request:
    script = layout.job_script_file(mark.cluster, mark.node)
    handed = Submission(Path(job.directory) / script, mark)
    return {
        "argv": handed.argv(ticket=""),
        "script": script,
        "text": render_script(job),
        "mark": asdict(mark),
        "partition": plan.options.partition or "",
        "account": plan.options.account or "",
        "environment": dict(plan.group.env),
    }


def _variables(node: str, plan: GroupPlan, where: Where) -> Mapping[str, Any]:
    return {
        "CAI_DEPLOY_NODE": node,
        "CAI_DEPLOY_ENVIRONMENT": plan.settings.environment,
        "CAI_DEPLOY_EPOCH": str(where.epoch) if where.epoch else UNCLAIMED,
        "CAI_DEPLOY_PLACE": PLACE,
        "PYTHONPATH": f"{where.directory.rstrip('/')}/{layout.code_dir(where.code)}",
        **plan.agent,
    }
