"""The request for one node: which host is to run what, with which variables. Pure.

A node's fingerprint covers all that makes it what it is and leaves out its own name, its host and the number of its
siblings, so that scaling never restarts anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cai_deploy import layout
from cai_deploy.places.node_groups import role_of
from cai_deploy.places.node_plan import NodePlan
from cai_deploy.places.ssh.marks import Mark
from cai_deploy.spec import HEAD
from cai_deploy.ssh_hosts import SshHost
from cai_deploy.state import Request, WantedNode

PLACE = "ssh"

UNCLAIMED = "(known once the change begins)"
"""In place of an epoch, before the cluster is claimed."""

GRACE = 10.0
"""Seconds beyond a node's own stop time-out after which it is killed."""


@dataclass(frozen=True)
class GroupPlan(NodePlan):
    """One group's processes."""

    head_address: str

    @property
    def given(self) -> dict[str, Any]:
        """Their shape, and where they find their head."""
        return {**super().given, "head": self.head_address}


@dataclass(frozen=True)
class On:
    """A host that a node is put on: its absolute ``directory``, and the ``address`` at which others reach it."""

    host: SshHost
    directory: str
    address: str


@dataclass(frozen=True)
class Where:
    """The digest of the ``code`` that nodes run, who owns them, the ``epoch`` of our claim on a cluster."""

    code: str
    owner: str
    epoch: int


def wanted_node(node: str, plan: GroupPlan, on: On, where: Where) -> WantedNode:
    """The node called ``node``."""
    settings, group = plan.settings, plan.group
    mark = Mark(settings.cluster, where.owner, node, group.name, plan.fingerprint, where.epoch, on.address)
    body = {
        "node": node,
        "mark": mark.fields(),
        "keeper": mark.keeper,
        "seconds": settings.stop_timeout + GRACE,
        "output": layout.job_output_file(settings.cluster, node),
        "environment": {**group.env, **_variables(node, plan, on, where)},
        "command": [on.host.python, plan.program],
    }

    def request(*, replace: bool) -> Request:
        return {"host": on.host.name, "body": {**body, "replace": replace}}

    return WantedNode(
        name=node,
        role=role_of(node),
        group=group.name,
        fingerprint=mark.fingerprint,
        create=request(replace=False),
        update=request(replace=True),
        facts={"host": on.host.name, "address": on.address},
    )


def _variables(node: str, plan: GroupPlan, on: On, where: Where) -> Mapping[str, str]:
    told = {
        "CAI_DEPLOY_NODE": node,
        "CAI_DEPLOY_ENVIRONMENT": plan.settings.environment,
        "CAI_DEPLOY_EPOCH": str(where.epoch) if where.epoch else UNCLAIMED,
        "CAI_DEPLOY_PLACE": PLACE,
        "CAI_DEPLOY_ADDRESS": on.address,
        "PYTHONPATH": f"{on.directory}/{layout.code_dir(where.code)}",
    }
    return told if node == HEAD else {**told, "RAY_HEAD_ADDRESS": plan.head_address}
