"""spec + observation -> everything wanted, each with the request that would make it. Pure; nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from cai_deploy.errors import ConfigError
from cai_deploy.membership import choose_members
from cai_deploy.places.cai import groundwork, job_ground, program, scheduled_jobs, sleep
from cai_deploy.places.cai.environments import UNKNOWN_YET, NeededEnvironment, needed
from cai_deploy.places.cai.lock_file import with_lock
from cai_deploy.places.cai.node_requests import GroupPlan, Where, wanted_node
from cai_deploy.places.cai.observation import CaiObservation
from cai_deploy.places.cai.scheduled_jobs import ScheduledRun
from cai_deploy.places.cai.site import Site
from cai_deploy.places.locked_requirements import require_lock
from cai_deploy.places.node_groups import launcher_of, settings_of
from cai_deploy.spec import HEAD, ClusterSpec, HeadGroup, WorkerGroup
from cai_deploy.state import Limits, Rollout, Wanted, WantedGround, WantedNode


@dataclass(frozen=True)
class Draft:
    """What a specification comes to in a workspace, group by group; requests follow from it."""

    spec: ClusterSpec
    where: Where
    environments: Mapping[str, NeededEnvironment]
    plans: Mapping[str, GroupPlan]
    outlived: tuple[WantedGround, ...] = ()

    def ground(self, site: Site) -> tuple[WantedGround, ...]:
        """What must stand before nodes can, in the order in which it is needed."""
        project_id = self.where.project_id
        rendered = [plan.launcher for plan in self.plans.values() if plan.launcher]
        runtime = self.environments[HEAD].runtime
        return (
            groundwork.project(self.spec, site),
            program.wanted(project_id),
            *groundwork.repository(self.spec, site, runtime, project_id),
            *groundwork.environments(self.spec, self.environments.values(), project_id),
            *groundwork.launchers(rendered, project_id),
            # Before the specification, by which whoever comes later knows that there is something to remove.
            *(each for each in self.outlived if each.name != site.own_job),
            groundwork.specification(self.spec, project_id),
            *self._jobs(scheduled_jobs.watchdog),
        )

    def records(self, site: Site) -> tuple[WantedGround, ...]:
        """What is written down once all is reached, and what goes on from there by the clock."""
        return (
            groundwork.record(self.spec, self.environments, self.where.project_id),
            *self._jobs(scheduled_jobs.scheduled),
            *(each for each in self.outlived if each.name == site.own_job),  # ends us
        )

    def timetable(self, site: Site) -> tuple[WantedGround, ...]:
        """All that happens by the clock, and nothing else."""
        ground = self.ground(site)
        kinds = (job_ground.KIND, "specification")
        return tuple(each for each in (*ground, *self.records(site)) if each.kind in kinds)

    def _jobs(self, runs: Callable[[ClusterSpec, NeededEnvironment], Iterator[ScheduledRun]]) -> Iterator[WantedGround]:
        head = self.environments[HEAD]
        for run in runs(self.spec, head):
            yield job_ground.wanted(run, self.spec.name, head.runtime, self.where.project_id)

    def node(self, name: str, group: HeadGroup | WorkerGroup) -> WantedNode:
        """One node of ``group``."""
        return wanted_node(name, self.plans[group.name], self.where)


def draft(spec: ClusterSpec, seen: CaiObservation, site: Site, epoch: int = 0) -> Draft:
    """What ``spec`` comes to in a workspace that looks like ``seen``, under the ``epoch`` of our claim on it.

    Raises ConfigError when what the workspace has cannot carry the specification.
    """
    _require_repository(seen, site)
    if _moves(seen, site):
        seen = _as_committed(spec, seen, site)
    else:
        _require_scripts(seen)
    looked = site.lock is not None if _moves(seen, site) else seen.code_there
    require_lock(spec, seen.requirements, looked=looked, where="the project's repository")
    where = Where(site.host, seen.project.id if seen.project else UNKNOWN_YET, epoch)
    environments = needed(spec, seen)
    plans = {plan.group.name: plan for plan in _group_plans(spec, environments)}
    return Draft(spec, where, environments, plans, outlived(spec, seen))


def outlived(spec: ClusterSpec, seen: CaiObservation) -> tuple[WantedGround, ...]:
    """What is there of earlier wishes and must not be: the record of a sleep, jobs that nobody wants any more."""
    if not seen.project:
        return ()
    there = scheduled_jobs.job_names(seen.applied_spec or ClusterSpec())
    wanted = scheduled_jobs.job_names(spec)
    return (
        *([sleep.over(spec.name, seen.project.id)] if seen.asleep else []),
        *(job_ground.unwanted(name, spec.name, seen.project.id) for name in there if name not in wanted),
    )


def build(spec: ClusterSpec, seen: CaiObservation, site: Site, epoch: int = 0) -> Wanted:
    """Everything that ``spec`` wants. Raises ConfigError as :func:`draft` does."""
    drafted = draft(spec, seen, site, epoch)
    members = choose_members(spec, seen.nodes)
    return Wanted(
        drafted.ground(site),
        tuple(drafted.node(name, group) for name, group in members.nodes),
        tuple(drafted.node(name, group) for name, group in members.spares),
        {group.name: Rollout.of(group, spec.update) for group in spec.workers},
        drafted.records(site),
        Limits.of(spec),
    )


def _group_plans(spec: ClusterSpec, environments: dict[str, NeededEnvironment]) -> Iterator[GroupPlan]:
    for group in spec.groups:
        environment = environments[group.name]
        settings = settings_of(group, spec, environment.name)
        launcher = launcher_of(group, spec, settings) if spec.launch_with == "script" else None
        yield GroupPlan(group, settings, launcher, environment)


def _moves(seen: CaiObservation, site: Site) -> bool:
    """Whether the code that is there is not the one that is wanted."""
    return seen.commit != site.commit if site.commit else bool(site.git_url and site.credential and not seen.commit)


def _as_committed(spec: ClusterSpec, seen: CaiObservation, site: Site) -> CaiObservation:
    """``seen`` as it will be with the new code, which has its own lock file and scripts."""
    there = replace(seen, requirements=None, lock_file="", missing_scripts=frozenset())
    return there if site.lock is None else with_lock(spec, there, site.lock or None)


def _require_repository(seen: CaiObservation, site: Site) -> None:
    if seen.project is None and site.unclonable:
        raise ConfigError(
            "project.git_url: there is nothing to clone",
            why=f"the project does not exist yet, and {site.unclonable} has no origin that the workspace could clone",
            next_step="set project.git_url, or add an origin; outside of any checkout the project begins empty",
        )
    if site.credential and site.credential.missing and _moves(seen, site):
        raise ConfigError(
            site.credential.missing, next_step="launch from where it is at hand: the project's clone needs it"
        )


def _require_scripts(seen: CaiObservation) -> None:
    """An application whose script is not there fails without a word, so it is not even created."""
    if seen.missing_scripts:
        raise ConfigError(
            f"script: {', '.join(sorted(seen.missing_scripts))} is not in the project",
            next_step="commit it and run `deploy`, which brings the project to your commit",
        )
