"""The journeys, each a few lines over the reconciler: launch, preview, tear down.

They choose what is wanted and how patient to be; how it comes about is the reconciler's, where is the place's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from cai_deploy.clock import Clock, SystemClock
from cai_deploy.places.base import Place, Seen
from cai_deploy.plan import plan
from cai_deploy.reconcile import Converged, Progress, converge
from cai_deploy.spec import ClusterSpec, Timeouts
from cai_deploy.state import Plan, Wanted

FILE_PATIENCE = 60.0


@dataclass(frozen=True)
class Preview(Generic[Seen]):
    """What a launch would do now, and what it is based on."""

    plan: Plan
    seen: Seen


def preview(place: Place[Seen], spec: ClusterSpec) -> Preview[Seen]:
    """The plan for ``spec``, and nothing done about it."""
    seen = place.observe(spec)
    return Preview(plan(place.build(spec, seen), seen), seen)


def launch(place: Place[Seen], spec: ClusterSpec, progress: Progress, clock: Clock | None = None) -> Converged[Seen]:
    """Bring the cluster to ``spec``, from nothing or from wherever it is. Doing it twice changes nothing.

    Raises StepFailed, NotConverged, or whatever the place answers.
    """
    return converge(
        place,
        lambda: place.observe(spec),
        lambda seen: place.build(spec, seen),
        patience=_patience(spec.timeouts),
        overdue_after=spec.timeouts.join,
        clock=clock or SystemClock(),
        progress=progress,
    )


def tear_down(place: Place[Seen], spec: ClusterSpec, progress: Progress, clock: Clock | None = None) -> Converged[Seen]:
    """Remove every node of the cluster that ``spec`` names, workers first; ends when an observation finds none."""
    done = converge(
        place,
        lambda: place.observe_cluster(spec),
        lambda _: Wanted(),
        patience=_patience(spec.timeouts),
        overdue_after=spec.timeouts.launch,
        clock=clock or SystemClock(),
        progress=progress,
    )
    place.forget(spec)
    return done


def _patience(timeouts: Timeouts) -> dict[str, float]:
    return {
        "project": timeouts.project,
        "code": timeouts.setup,
        "environment": timeouts.setup,
        "launcher": FILE_PATIENCE,
        "specification": FILE_PATIENCE,
        "node": timeouts.launch,
    }
