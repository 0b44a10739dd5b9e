"""The journeys, each a few lines over the reconciler: launch, preview, tear down.

They choose what is wanted and how patient to be; how it comes about is the reconciler's, where is the place's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic

from cai_deploy.clock import Clock, SystemClock
from cai_deploy.errors import DeployError
from cai_deploy.hibernation import Asleep, Decision, decide
from cai_deploy.places.base import Collection, Place, Seen
from cai_deploy.plan import plan
from cai_deploy.reconcile import PARALLELISM, Converged, Goal, Progress, converge
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Limits, Observation, Plan, Wanted

FILE_PATIENCE = 60.0
LEASE_PATIENCE = 180.0
"""Seconds; longer than a claim lives that nobody renews, so that a deployer which died elsewhere stops nobody."""


@dataclass(frozen=True)
class Preview(Generic[Seen]):
    """What a launch would do now, and what it is based on."""

    plan: Plan
    seen: Seen


def preview(place: Place[Seen], spec: ClusterSpec) -> Preview[Seen]:
    """The plan for ``spec``, and nothing done about it."""
    seen = place.observe(spec)
    return Preview(plan(place.build(spec, seen), seen), seen)


def launch(
    place: Place[Seen],
    spec: ClusterSpec,
    progress: Progress,
    clock: Clock | None = None,
    *,
    parallelism: int = PARALLELISM,
) -> Converged[Seen]:
    """Bring the cluster to ``spec``, from nothing or from wherever it is. Doing it twice changes nothing.

    Raises StepFailed, NotConverged, LeaseLost, or whatever the place answers.
    """
    goal = Goal(lambda: place.observe(spec), lambda seen: place.build(spec, seen), _patience(spec), "launch")
    return converge(place, goal, clock=clock or SystemClock(), progress=progress, parallelism=parallelism)


def tear_down(
    place: Place[Seen],
    spec: ClusterSpec,
    progress: Progress,
    clock: Clock | None = None,
    *,
    parallelism: int = PARALLELISM,
) -> Converged[Seen]:
    """Remove every node of the cluster that ``spec`` names, workers first, and then its files.

    Ends when an observation finds no node. Raises StepFailed with the ids of what does not go.
    """
    goal = Goal(
        lambda: place.observe_leaving(spec),
        lambda seen: place.build_leaving(spec, seen),
        _patience(spec),
        "down",
        lambda: place.forget(spec),
    )
    return converge(place, goal, clock=clock or SystemClock(), progress=progress, parallelism=parallelism)


def preview_jobs(place: Place[Seen], spec: ClusterSpec) -> Preview[Seen]:
    """What it takes for what ``spec`` schedules to be as it says, and nothing done about it."""
    seen = place.observe_jobs(spec)
    return Preview(plan(place.build_jobs(spec, seen), seen), seen)


def schedule(place: Place[Seen], spec: ClusterSpec, progress: Progress, clock: Clock | None = None) -> Converged[Seen]:
    """Bring all that happens by the clock to ``spec``, which is kept for the cluster; its nodes stay as they are."""
    goal = Goal(
        lambda: place.observe_jobs(spec), lambda seen: place.build_jobs(spec, seen), _patience(spec), "schedule"
    )
    return converge(place, goal, clock=clock or SystemClock(), progress=progress)


def put_to_sleep(
    place: Place[Seen],
    spec: ClusterSpec,
    progress: Progress,
    clock: Clock | None = None,
    *,
    why: str,
    parallelism: int = PARALLELISM,
) -> Converged[Seen]:
    """Remove every node after its work is done, and note ``why``; all else stays for the next launch."""

    def want(seen: Seen) -> Wanted:
        return place.build_asleep(spec, seen, Asleep(place.pulse(spec, seen).now, why))

    goal = Goal(lambda: place.observe_cluster(spec), want, _patience(spec), "sleep")
    return converge(place, goal, clock=clock or SystemClock(), progress=progress, parallelism=parallelism)


class Superseded(DeployError):
    """The cluster is to be something else by now."""

    retry_helps = True


@dataclass(frozen=True)
class Watched(Generic[Seen]):
    """What a look of the watchdog came to: what was decided last, and what was done about it."""

    decision: Decision
    done: Converged[Seen]


def watch(
    place: Place[Seen],
    spec: ClusterSpec,
    progress: Progress,
    clock: Clock | None = None,
    *,
    parallelism: int = PARALLELISM,
) -> Watched[Seen]:
    """One look after the cluster that was launched as ``spec``: heal it, make it smaller, or put it to sleep.

    The specification that the project keeps stays as it is. Raises Superseded when somebody has changed or removed it
    meanwhile, and else as ``launch`` does.
    """
    decisions: list[Decision] = []

    def want(seen: Seen) -> Wanted:
        pulse = place.pulse(spec, seen)
        if pulse.in_force != spec:
            raise Superseded(
                f"cluster {spec.name} was changed or removed while the watchdog looked",
                next_step="nothing: the next run of the watchdog looks at what it is then",
            )
        decision = decide(spec, pulse)
        decisions.append(decision)
        if decision.what in ("sleep", "rest"):
            return place.build_asleep(spec, seen, Asleep(pulse.now, decision.why))
        wanted = place.build(decision.spec, seen)
        return wanted if decision.what == "keep" else _without_records(wanted)

    goal = Goal(lambda: place.observe(spec), want, _patience(spec), "watchdog")
    done = converge(place, goal, clock=clock or SystemClock(), progress=progress, parallelism=parallelism)
    changed = [decision for decision in decisions if decision.what != "rest"]
    return Watched(changed[-1] if changed else decisions[-1], done)


def _without_records(wanted: Wanted) -> Wanted:
    """The same nodes, and nothing written down of them: what the cluster is to be has not changed."""
    ground = tuple(each for each in wanted.ground if each.kind != "specification")
    return replace(wanted, ground=ground, records=())


def collect(
    leftovers: Collection, spec: ClusterSpec, progress: Progress, clock: Clock | None = None
) -> Converged[Observation]:
    """Remove ``leftovers``. Ends when an observation finds none of those that ran; raises like ``tear_down``."""
    nothing = Wanted(limits=Limits.of(spec))
    goal = Goal(leftovers.observe, lambda _: nothing, _patience(spec), "gc")
    with leftovers.held():
        done = converge(leftovers, goal, clock=clock or SystemClock(), progress=progress)
        leftovers.remove_others()
    return done


def _patience(spec: ClusterSpec) -> dict[str, float]:
    timeouts = spec.timeouts
    return {
        "project": timeouts.project,
        "program": FILE_PATIENCE,
        "credential": FILE_PATIENCE,
        "code": timeouts.setup,
        "environment": timeouts.setup,
        "launcher": FILE_PATIENCE,
        "specification": FILE_PATIENCE,
        "record": FILE_PATIENCE,
        "job": FILE_PATIENCE,
        "sleep": FILE_PATIENCE,
        "lease": LEASE_PATIENCE,
        "node": timeouts.launch + spec.update.drain,
    }
