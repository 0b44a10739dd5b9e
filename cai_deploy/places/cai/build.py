"""spec + observation -> everything wanted, each with the request that would make it. Pure; nothing is sent here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cai_deploy import layout
from cai_deploy.errors import ConfigError
from cai_deploy.places.cai import groundwork
from cai_deploy.places.cai.environments import UNKNOWN_YET, NeededEnvironment, needed
from cai_deploy.places.cai.node_requests import GroupPlan, settings_of, wanted_node
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.render import Launcher, render_launcher
from cai_deploy.spec import HEAD, ClusterSpec, HeadGroup, WorkerGroup
from cai_deploy.state import Wanted


@dataclass(frozen=True)
class Site:
    """Where it all goes: the workspace, and what its project clones.

    ``commit`` is "" when the code is to be left as it stands in the project.
    """

    host: str
    git_url: str
    git_ref: str = ""
    commit: str = ""


def build(spec: ClusterSpec, seen: CaiObservation, site: Site) -> Wanted:
    """Everything that ``spec`` wants in a workspace that looks like ``seen``.

    Raises ConfigError when what the workspace has cannot carry the specification.
    """
    _require_repository(seen, site)
    if site.commit and seen.commit != site.commit:
        seen = replace(seen, requirements=None, missing_scripts=frozenset())  # the new code will have its own
    else:
        _require_lock(spec, seen)
        _require_scripts(seen)
    project_id = seen.project.id if seen.project else UNKNOWN_YET
    plans = {plan.group.name: plan for plan in _group_plans(spec, needed(spec, seen))}
    needed_environments = [plan.environment for plan in plans.values()]
    rendered = [plan.launcher for plan in plans.values() if plan.launcher]
    ground = [
        groundwork.project(spec, site.git_url, site.git_ref),
        *([groundwork.code(spec, site.commit, plans[HEAD].environment.runtime, project_id)] if site.commit else []),
        *groundwork.environments(spec, needed_environments, project_id),
        *groundwork.launchers(rendered, project_id),
        groundwork.specification(spec, project_id),
    ]
    nodes = [wanted_node(node, plans[group.name], site.host, project_id) for node, group in spec.members()]
    return Wanted(tuple(ground), tuple(nodes))


def _group_plans(spec: ClusterSpec, environments: dict[str, NeededEnvironment]) -> Iterator[GroupPlan]:
    for group in spec.groups:
        environment = environments[group.name]
        settings = settings_of(group, spec, environment.name)
        launcher: Launcher | None = None
        if not group.script and spec.launch_with == "script":
            launcher = render_launcher(settings, _launcher_path(spec, group))
        yield GroupPlan(group, settings, environment, launcher)


def _launcher_path(spec: ClusterSpec, group: HeadGroup | WorkerGroup) -> str:
    if not isinstance(group, WorkerGroup):
        return layout.head_launcher_file(spec.name)
    return layout.worker_launcher_file(spec.name, None if group is spec.workers[0] else group.name)


def _require_repository(seen: CaiObservation, site: Site) -> None:
    if seen.project is None and not site.git_url:
        raise ConfigError(
            "project.git_url: there is nothing to clone",
            why="the project does not exist yet, and this directory is not in a git repository with an origin",
            next_step="set project.git_url, or run this from a checkout",
        )


def _require_scripts(seen: CaiObservation) -> None:
    """An application whose script is not there fails without a word, so it is not even created."""
    if seen.missing_scripts:
        raise ConfigError(
            f"script: {', '.join(sorted(seen.missing_scripts))} is not in the project",
            next_step="commit it and run `deploy`, which brings the project to your commit",
        )


def _require_lock(spec: ClusterSpec, seen: CaiObservation) -> None:
    """The requirements file must be there and pin the Ray that is asked for, or the nodes would run another."""
    if seen.requirements is None:
        if seen.code_there:
            raise ConfigError(
                f"environment.requirements: {spec.environment.requirements} is not in the project's repository",
                next_step="commit a locked requirements file there, or name the one it has",
            )
        return
    if not re.search(rf"^ray(\[[^\]]*\])?=={re.escape(spec.ray_version)}(?![\w.])", seen.requirements, re.MULTILINE):
        raise ConfigError(
            f"ray_version: {spec.environment.requirements} does not pin ray=={spec.ray_version}",
            next_step="lock the requirements again, or set ray_version to the locked version",
        )
