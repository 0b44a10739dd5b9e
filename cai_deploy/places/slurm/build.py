"""spec + observation -> everything wanted, each with the request that would make it. Pure; nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cai_deploy.membership import choose_members
from cai_deploy.places.directory_ground import require_files
from cai_deploy.places.locked_requirements import require_lock
from cai_deploy.places.node_groups import launcher_of, settings_of
from cai_deploy.places.slurm import groundwork
from cai_deploy.places.slurm.environments import needed
from cai_deploy.places.slurm.node_jobs import GroupPlan, Where, wanted_node
from cai_deploy.places.slurm.observation import SlurmObservation
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Limits, Rollout, Wanted, WantedGround


@dataclass(frozen=True)
class Draft:
    """What a specification comes to in a directory, group by group; requests follow from it."""

    spec: ClusterSpec
    where: Where
    environments: Mapping[str, str]
    plans: Mapping[str, GroupPlan]

    def ground(self) -> tuple[WantedGround, ...]:
        """What must stand before nodes can, in the order in which it is needed."""
        rendered = [plan.launcher for plan in self.plans.values() if plan.launcher]
        return (
            *groundwork.environments(self.spec, self.environments.values()),
            groundwork.code(self.where.code),
            *groundwork.launchers(rendered),
            groundwork.specification(self.spec),
        )

    def records(self) -> tuple[WantedGround, ...]:
        """What is written down once all is reached."""
        return (groundwork.record(self.spec, self.environments),)


def draft(spec: ClusterSpec, seen: SlurmObservation, where: Where) -> Draft:
    """What ``spec`` comes to in a directory that looks like ``seen``. Raises ConfigError when it cannot be there."""
    require_files(seen.missing_scripts, seen.strange_files, where.directory)
    require_lock(spec, seen.requirements, looked=True, where=where.directory)
    environments = needed(spec, seen)
    plans = {plan.group.name: plan for plan in _group_plans(spec, environments)}
    return Draft(spec, where, environments, plans)


def build(spec: ClusterSpec, seen: SlurmObservation, where: Where) -> Wanted:
    """Everything that ``spec`` wants. Raises ConfigError as :func:`draft` does."""
    drafted = draft(spec, seen, where)
    members = choose_members(spec, seen.nodes)
    return Wanted(
        drafted.ground(),
        tuple(wanted_node(name, drafted.plans[group.name], where) for name, group in members.nodes),
        tuple(wanted_node(name, drafted.plans[group.name], where) for name, group in members.spares),
        {group.name: Rollout.of(group, spec.update) for group in spec.workers},
        drafted.records(),
        Limits.of(spec),
    )


def _group_plans(spec: ClusterSpec, environments: Mapping[str, str]) -> Iterator[GroupPlan]:
    for group in spec.groups:
        settings = settings_of(group, spec, environments[group.name])
        yield GroupPlan(group, settings, launcher_of(group, spec, settings), spec.slurm)
