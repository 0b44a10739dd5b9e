"""The requests for one node: the application that is created, or the change that turns an older one into it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cai_deploy.api.application_http import application_url
from cai_deploy.inline import inline_command
from cai_deploy.places import archive
from cai_deploy.places.cai import names
from cai_deploy.places.cai.environments import NeededEnvironment
from cai_deploy.places.cai.facts import ENVIRONMENT, IN_PLACE, PROGRAM, wanted_facts
from cai_deploy.places.cai.marks import Mark
from cai_deploy.places.node_groups import role_of
from cai_deploy.places.node_plan import NodePlan
from cai_deploy.spec import HeadGroup
from cai_deploy.state import WantedNode


@dataclass(frozen=True)
class GroupPlan(NodePlan):
    """One group's applications."""

    environment: NeededEnvironment

    @property
    def has_agent(self) -> bool:
        """Whether our program runs in each node; a person's own script is taken for a copy of a launcher."""
        return bool(self.launcher or self.group.script)

    @cached_property
    def shape(self) -> dict[str, Any]:
        """What the platform gives to each node."""
        return {
            "cpu": self.group.cpu,
            "memory": self.group.memory_gb,
            "nvidia_gpu": self.group.gpu,
            "runtime_identifier": self.environment.runtime,
            "bypass_authentication": isinstance(self.group, HeadGroup) and self.group.public,
        }


@dataclass(frozen=True)
class Where:
    """The project ``project_id`` of the workspace at ``host``, and the ``epoch`` of our claim on the cluster there."""

    host: str
    project_id: str
    epoch: int


def wanted_node(node: str, plan: GroupPlan, where: Where) -> WantedNode:
    """The node called ``node``."""
    project_id = where.project_id
    mark = Mark(plan.settings.cluster, project_id, node, plan.group.name, plan.fingerprint, where.epoch)
    subdomain = names.subdomain(mark.cluster, node, project_id)
    changeable: dict[str, Any] = {
        "name": names.application_name(mark.cluster, node),
        "description": f"{role_of(node)} of the Ray cluster {mark.cluster}, by cai_deploy",
        "script": _script(node, plan),
        **plan.shape,
        "environment": {
            **plan.group.env,
            **mark.environment(),
            ENVIRONMENT: plan.environment.name,
            **({PROGRAM: archive.node_digest()} if plan.has_agent else {}),
            "CAI_DEPLOY_URL": application_url(where.host, subdomain),
        },
    }
    fixed = {"project_id": project_id, "subdomain": subdomain}
    path = f"/api/v2/projects/{project_id}/applications"
    return WantedNode(
        name=node,
        role=role_of(node),
        group=plan.group.name,
        fingerprint=mark.fingerprint,
        create={"method": "POST", "path": path, "body": {**fixed, **changeable}},
        update={"method": "PATCH", "path": f"{path}/{changeable['name']}", "body": changeable},
        touch={
            "method": "PATCH",
            "path": f"{path}/{changeable['name']}",
            "body": {name: changeable[name] for name in sorted(IN_PLACE)},
        },
        facts=wanted_facts(changeable, plan.group.env),
        in_place=IN_PLACE,
    )


def _script(node: str, plan: GroupPlan) -> str:
    if plan.group.script:
        return plan.group.script
    return plan.launcher.path if plan.launcher else inline_command(plan.settings, node=node)
