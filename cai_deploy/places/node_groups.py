"""What a specification says of a group, as every place hands it to nodes: settings, launchers, own scripts."""

from __future__ import annotations

from typing import Literal

from cai_deploy import layout
from cai_deploy.node_settings import NodeSettings
from cai_deploy.render import Launcher, render_launcher
from cai_deploy.spec import HEAD, ClusterSpec, HeadGroup, WorkerGroup


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
        authentication=spec.authentication,
        tls=spec.tls,
    )


def role_of(name: str) -> Literal["head", "worker"]:
    """A node or group is the head, or a worker."""
    return "head" if name == HEAD else "worker"


def launcher_files(spec: ClusterSpec) -> list[str]:
    """Where the launchers of ``spec`` stand."""
    return [launcher_path(spec, group) for group in spec.groups if not group.script]


def launcher_of(group: HeadGroup | WorkerGroup, spec: ClusterSpec, settings: NodeSettings) -> Launcher | None:
    """The launcher that hands over ``settings``; None for a group that brings a script of its own."""
    return None if group.script else render_launcher(settings, launcher_path(spec, group))


def launcher_path(spec: ClusterSpec, group: HeadGroup | WorkerGroup) -> str:
    """Where the launcher of one group stands."""
    if not isinstance(group, WorkerGroup):
        return layout.head_launcher_file(spec.name)
    return layout.worker_launcher_file(spec.name, None if group is spec.workers[0] else group.name)


def own_scripts(spec: ClusterSpec) -> set[str]:
    """The scripts that people wrote for their nodes."""
    return {group.script for group in spec.groups if group.script}
