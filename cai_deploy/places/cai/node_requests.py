"""The requests for one node: the application that is created, or the change that turns an older one into it. Pure.

A node's fingerprint covers all that makes it what it is and leaves out its own name and the number of its siblings, so
that scaling never restarts anybody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from cai_deploy.api.application_http import application_url
from cai_deploy.node_settings import NodeSettings
from cai_deploy.places.cai import names
from cai_deploy.places.cai.environments import NeededEnvironment
from cai_deploy.places.cai.facts import IN_PLACE, wanted_facts
from cai_deploy.places.cai.fingerprints import fingerprint
from cai_deploy.places.cai.marks import Mark
from cai_deploy.render import Launcher, inline_command
from cai_deploy.spec import HEAD, ClusterSpec, HeadGroup, WorkerGroup
from cai_deploy.state import WantedNode


@dataclass(frozen=True)
class GroupPlan:
    """What all nodes of one group share. ``launcher`` is None for an inline command or a person's own script."""

    group: HeadGroup | WorkerGroup
    settings: NodeSettings
    environment: NeededEnvironment
    launcher: Launcher | None


def settings_of(group: HeadGroup | WorkerGroup, spec: ClusterSpec, environment: str) -> NodeSettings:
    """What a group's launcher hands to the agent."""
    return NodeSettings(
        cluster=spec.name,
        role=role_of(group.name),
        group=group.name,
        environment=environment,
        ray_version=spec.ray_version,
        cpu=group.cpu,
        memory_gb=group.memory_gb,
        gpu=group.gpu,
        labels=dict(group.labels),
        resources=dict(group.resources),
        ports=spec.ports.known(),
        pinned_ports=list(spec.ports.pinned()),
        join_timeout=spec.timeouts.join,
        stop_timeout=spec.timeouts.stop,
    )


def role_of(name: str) -> Literal["head", "worker"]:
    """A node or group is the head, or a worker."""
    return "head" if name == HEAD else "worker"


def wanted_node(node: str, plan: GroupPlan, host: str, project_id: str) -> WantedNode:
    """The node called ``node``, in the project ``project_id`` of the workspace at ``host``."""
    shape = _shape(plan)
    mark = Mark(plan.settings.cluster, project_id, node, plan.group.name, _fingerprint(plan, shape))
    subdomain = names.subdomain(mark.cluster, node, project_id)
    changeable: dict[str, Any] = {
        "description": f"{role_of(node)} of the Ray cluster {mark.cluster}, by cai_deploy",
        "script": _script(node, plan),
        **shape,
        "environment": {
            **plan.group.env,
            **mark.environment(),
            "CAI_DEPLOY_URL": application_url(host, subdomain),
        },
    }
    fixed = {
        "project_id": project_id,
        "name": names.application_name(mark.cluster, node),
        "subdomain": subdomain,
    }
    path = f"/api/v2/projects/{project_id}/applications"
    return WantedNode(
        name=node,
        role=role_of(node),
        group=plan.group.name,
        fingerprint=mark.fingerprint,
        create={"method": "POST", "path": path, "body": {**fixed, **changeable}},
        update={"method": "PATCH", "path": f"{path}/{fixed['name']}", "body": changeable},
        facts=wanted_facts(changeable, plan.group.env),
        in_place=IN_PLACE,
    )


def _shape(plan: GroupPlan) -> dict[str, Any]:
    return {
        "cpu": plan.group.cpu,
        "memory": plan.group.memory_gb,
        "nvidia_gpu": plan.group.gpu,
        "runtime_identifier": plan.environment.runtime,
        "bypass_authentication": False,
    }


def _script(node: str, plan: GroupPlan) -> str:
    if plan.group.script:
        return plan.group.script
    return plan.launcher.path if plan.launcher else inline_command(plan.settings, node=node)


def _fingerprint(plan: GroupPlan, shape: dict[str, Any]) -> str:
    made_from = {
        "shape": shape,
        "env": plan.group.env,
        "script": plan.group.script,
        "launcher": plan.launcher.fingerprint if plan.launcher else None,
        "settings": plan.settings.to_json(),
    }
    return fingerprint(json.dumps(made_from, sort_keys=True))
