"""observe -> plan -> apply until converged or out of time: the only loop, and the only sleep, of the deployer.

It knows no place and no workspace word; it only carries a plan's due steps to the place, bounded in parallel, and looks
again. Nothing is remembered between two runs, so a run that was killed is finished by the next one. Before the first
change it claims the cluster, and looks again once it has it: somebody else may just have changed what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, Protocol

from cai_deploy.clock import Clock
from cai_deploy.errors import PlaceUnreachable
from cai_deploy.places.base import Changes, Claim, HeldByAnother, Seen
from cai_deploy.plan import plan
from cai_deploy.reconcile.applying import PARALLELISM, apply_all
from cai_deploy.reconcile.run import Run, StepFailed
from cai_deploy.state import Observation, Plan, Step, Wanted

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
LATE = 0.08
"""Of the time that was waited: how much later than it happens we may see what we wait for."""

OUT_OF_REACH = 60.0
"""Seconds for which a place need not answer once nodes are on their way."""


class Progress(Protocol):
    """Who watches. Called from one thread, before each pass's steps are applied."""

    def looked(self, plan: Plan, seen: Observation) -> None: ...

    def applying(self, step: Step) -> None: ...


@dataclass(frozen=True)
class Goal(Generic[Seen]):
    """Where to go: how to look, what is wanted where it looks so, and how patient to be.

    ``patience`` is how long (seconds) to wait for one kind of thing; ``purpose`` is told to those who
    have to wait for us, ``afterwards`` is done once all is as wanted and before anybody else may change it.
    """

    observe: Callable[[], Seen]
    want: Callable[[Seen], Wanted]
    patience: Mapping[str, float]
    purpose: str
    afterwards: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Converged(Generic[Seen]):
    """The outcome: the last observation, the steps that were taken, and how long it took.

    ``node_seconds`` counts from the first node step to the end, 0.0 when no node had to be touched.
    """

    seen: Seen
    applied: tuple[Step, ...]
    seconds: float
    node_seconds: float


def converge(
    place: Changes, goal: Goal[Seen], *, clock: Clock, progress: Progress, parallelism: int = PARALLELISM
) -> Converged[Seen]:
    """Bring ``place`` to ``goal``, with at most ``parallelism`` steps under way at once.

    Raises NotConverged when patience ends, StepFailed when something fails again, LeaseLost when somebody else has
    taken the cluster over.
    """
    run = Run(clock, goal.patience, place.last_words)
    changed = clock.now()
    with ExitStack() as claimed:
        claim = _Claiming(place, goal.purpose, claimed)
        while True:
            began = clock.now()
            seen = _look(goal, run, clock)
            took = clock.now() - began
            steps = plan(goal.want(seen), seen, waited=run.waited())
            if steps.due():
                try:
                    if claim.take():
                        continue
                except HeldByAnother as held:
                    steps = Plan((Step("wait", "lease", held.what, held.why, 0),))
            progress.looked(steps, seen)
            if steps.converged:
                goal.afterwards()
                return _outcome(run, seen)
            run.note_waiting(steps)
            due = steps.due()
            if due:
                run.count_attempts(due, steps)
                for step in due:
                    progress.applying(step)
                claim.confirm()
                apply_all(place, due, parallelism)
                run.note_applied(due)
                changed = clock.now()
                del seen, steps, due  # of a thousand nodes they are much, and the next look makes them anew
                continue
            run.check_patience(steps)
            del seen, steps, due
            clock.sleep(_pause(clock.now() - changed, took))


def _pause(waited: float, took: float) -> float:
    """How long to wait until the next look, after so many seconds; at least for as long as the last one ``took``."""
    return min(max(waited * LATE, took, FIRST_PAUSE), LONGEST_PAUSE)


def _look(goal: Goal[Seen], run: Run, clock: Clock) -> Seen:
    """The place as it is. One that has been changed already may be out of reach for a while: its clusters do not wait.

    Raises PlaceUnreachable when it stays so, and at once where nothing was begun.
    """
    end = clock.now() + OUT_OF_REACH
    while True:
        try:
            return goal.observe()
        except PlaceUnreachable:
            if not run.applied or clock.now() >= end:
                raise
        clock.sleep(LONGEST_PAUSE)


class _Claiming:
    """The claim on the cluster, taken once, and given back when the run ends however it ends."""

    def __init__(self, place: Changes, purpose: str, held: ExitStack) -> None:
        self._place = place
        self._purpose = purpose
        self._held = held
        self._claim: Claim | None = None

    def take(self) -> bool:
        """Whether the cluster was claimed only now, so that it has to be looked at again. Raises HeldByAnother."""
        if self._claim is not None:
            return False
        self._claim = self._place.claim(self._purpose)
        if self._claim is None:
            return False
        self._held.callback(self._claim.release)
        return True

    def confirm(self) -> None:
        """Raises LeaseLost when somebody else has the cluster by now."""
        if self._claim is not None:
            self._claim.confirm()


def _outcome(run: Run, seen: Seen) -> Converged[Seen]:
    return Converged(seen, tuple(run.applied), run.seconds, run.node_seconds)


__all__ = ["PARALLELISM", "Converged", "Goal", "Progress", "StepFailed", "converge"]
