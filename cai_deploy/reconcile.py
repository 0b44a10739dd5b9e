"""observe -> plan -> apply until converged or out of time: the only loop, and the only sleep, of the deployer.

It knows no place and no workspace word; it only carries a plan's due steps to the place, bounded in parallel, and looks
again. Nothing is remembered between two runs, so a run that was killed is finished by the next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Protocol

from cai_deploy.clock import Clock
from cai_deploy.errors import DeployError, NotConverged
from cai_deploy.places.base import Place, Seen
from cai_deploy.plan import plan
from cai_deploy.state import Observation, Plan, Step, Wanted

PARALLEL_STEPS = 10
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0

GROUND_ATTEMPTS = 1
NODE_ATTEMPTS = 2
STOP_ATTEMPTS = 5

NO_WORDS = "it wrote nothing that can be read from outside: look at its log in the workspace's own pages"


class StepFailed(DeployError):
    """A step was carried out and is needed again: what it made has failed."""


class Progress(Protocol):
    """Who watches. Called from one thread, before each pass's steps are applied."""

    def looked(self, plan: Plan, seen: Observation) -> None: ...

    def applying(self, step: Step) -> None: ...


@dataclass(frozen=True)
class Converged(Generic[Seen]):
    """The outcome: the last observation, the steps that were taken, and how long it took.

    ``node_seconds`` counts from the first node step to the end, 0.0 when no node had to be touched.
    """

    seen: Seen
    applied: tuple[Step, ...]
    seconds: float
    node_seconds: float


@dataclass
class _Run:
    """What one run has done so far."""

    started: float
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    waiting_since: dict[tuple[str, str], float] = field(default_factory=dict)
    applied: list[Step] = field(default_factory=list)
    first_node_step: float | None = None


def converge(
    place: Place[Seen],
    observe: Callable[[], Seen],
    want: Callable[[Seen], Wanted],
    *,
    patience: Mapping[str, float],
    overdue_after: float,
    clock: Clock,
    progress: Progress,
) -> Converged[Seen]:
    """Bring ``place`` to what ``want`` derives from each of ``observe``'s observations.

    ``patience`` is how long (seconds) to wait for one kind of thing; ``overdue_after`` is when a node that Ray does
    not list is restarted. Raises NotConverged when patience ends, StepFailed when something fails again.
    """
    run = _Run(clock.now())
    pause = FIRST_PAUSE
    while True:
        seen = observe()
        steps = plan(want(seen), seen, overdue=_overdue(run, clock.now(), overdue_after))
        progress.looked(steps, seen)
        if steps.converged:
            return _outcome(run, seen, clock.now())
        _note_waiting(run, steps, clock.now())
        due = steps.due()
        if due:
            _count_attempts(run, due, place)
            _apply(place, due, run, clock, progress)
            pause = FIRST_PAUSE
            continue
        _check_patience(run, steps, patience, clock.now(), place)
        clock.sleep(pause)
        pause = min(pause * 1.3, LONGEST_PAUSE)


def _apply(place: Place[Seen], due: tuple[Step, ...], run: _Run, clock: Clock, progress: Progress) -> None:
    for step in due:
        progress.applying(step)
        if step.kind == "node" and run.first_node_step is None:
            run.first_node_step = clock.now()
    with ThreadPoolExecutor(PARALLEL_STEPS) as pool:
        outcomes = [pool.submit(place.apply, step) for step in due]
    for step, outcome in zip(due, outcomes, strict=True):
        outcome.result()
        run.applied.append(step)
        run.waiting_since.pop((step.kind, step.name), None)


def _count_attempts(run: _Run, due: tuple[Step, ...], place: Place[Seen]) -> None:
    for step in due:
        key = (step.kind, step.name)
        limit = STOP_ATTEMPTS if step.action == "stop" else NODE_ATTEMPTS if step.kind == "node" else GROUND_ATTEMPTS
        if run.attempts[key] >= limit:
            why = place.last_words(step)
            raise StepFailed(
                f"{step.kind} {step.name}: {step.reason}",
                why=why,
                next_step="mend the cause and run the same command again" if why else NO_WORDS,
            )
        run.attempts[key] += 1


def _note_waiting(run: _Run, steps: Plan, now: float) -> None:
    waiting = {(step.kind, step.name) for step in steps.steps if step.action == "wait"}
    run.waiting_since = {key: run.waiting_since.get(key, now) for key in waiting}


def _overdue(run: _Run, now: float, after: float) -> frozenset[str]:
    return frozenset(
        name for (kind, name), since in run.waiting_since.items() if kind == "node" and now - since >= after
    )


def _check_patience(run: _Run, steps: Plan, patience: Mapping[str, float], now: float, place: Place[Seen]) -> None:
    for step in steps.steps:
        since = run.waiting_since.get((step.kind, step.name), now)
        limit = patience.get(step.kind, 0.0)
        if now - since > limit:
            raise NotConverged(
                f"{step.kind} {step.name}: {step.reason}, after {limit:.0f} seconds of waiting",
                why=place.last_words(step),
                next_step="run the same command again to go on, or look at `python -m cai_deploy logs`",
            )


def _outcome(run: _Run, seen: Seen, now: float) -> Converged[Seen]:
    node_seconds = now - run.first_node_step if run.first_node_step is not None else 0.0
    return Converged(seen, tuple(run.applied), now - run.started, node_seconds)
