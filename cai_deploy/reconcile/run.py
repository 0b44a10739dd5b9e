"""What one run has tried and waited for: when to say that trying or waiting again is of no use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cai_deploy.clock import Clock
from cai_deploy.errors import DeployError, NotConverged
from cai_deploy.state import Plan, Step

GROUND_ATTEMPTS = 1
NODE_ATTEMPTS = 2
REPEATED_ATTEMPTS = {"stop": 5, "drain": 5}
"""A request to go may be made again and again: it costs nobody anything."""

NO_WORDS = "it wrote nothing that can be read from outside: look at its log where the platform shows it"
MEND = "mend the cause and run the same command again"
GO_BACK = f"{MEND}, or go back to what last worked: python -m cai_deploy launch --rollback"
GO_ON = "run the same command again to go on, or look at `python -m cai_deploy logs`"

Key = tuple[str, str, str]


class StepFailed(DeployError):
    """A step was carried out and is needed again: what it made has failed."""


class Run:
    """The memory of one run, which ends with it. Times are in seconds."""

    def __init__(self, clock: Clock, patience: Mapping[str, float], last_words: Callable[[Step], str]) -> None:
        self.applied: list[Step] = []
        self._clock = clock
        self._patience = patience
        self._last_words = last_words
        self._started = clock.now()
        self._first_node_step: float | None = None
        self._attempts: Counter[Key] = Counter()
        self._waiting_since: dict[tuple[str, str], float] = {}
        self._state_since: dict[str, tuple[str, float]] = {}

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._clock.now() - self._started

    @property
    def node_seconds(self) -> float:
        """Since the first step on a node, 0.0 when there was none."""
        return 0.0 if self._first_node_step is None else self._clock.now() - self._first_node_step

    def waited(self) -> dict[str, float]:
        """For how long each node has been waited for in the state in which it is."""
        return {name: self._clock.now() - since for name, (_, since) in self._state_since.items()}

    def note_waiting(self, steps: Plan) -> None:
        """Begin to count for what is waited for now, and end for what is not any more."""
        now = self._clock.now()
        waits = [step for step in steps.steps if step.action == "wait"]
        keys = {(step.kind, step.name) for step in waits}
        self._waiting_since = {key: self._waiting_since.get(key, now) for key in keys}
        before = self._state_since
        self._state_since = {
            step.name: before[step.name] if before.get(step.name, ("", 0))[0] == step.reason else (step.reason, now)
            for step in waits
            if step.kind == "node"
        }

    def count_attempts(self, due: Sequence[Step], steps: Plan) -> None:
        """Count each of ``due``. Raises StepFailed for those that have been tried often enough."""
        hopeless = [step for step in due if self._attempts[_key(step)] >= _limit(step)]
        if hopeless:
            why = self._last_words(hopeless[0])
            held = _held_back(hopeless[0], steps)
            raise StepFailed(
                f"{_named(hopeless)}: {hopeless[0].reason}",
                why="\n".join(filter(None, (why, held))),
                next_step=GO_BACK if held else MEND if why else NO_WORDS,
            )
        self._attempts.update(_key(step) for step in due)
        if self._first_node_step is None and any(step.kind == "node" for step in due):
            self._first_node_step = self._clock.now()

    def note_applied(self, due: Sequence[Step]) -> None:
        """Remember what was carried out, and wait for it from now on."""
        self.applied += [replace(step, request=None) for step in due]  # what was sent is of no more use
        for step in due:
            self._waiting_since.pop((step.kind, step.name), None)
            self._state_since.pop(step.name, None)

    def check_patience(self, steps: Plan) -> None:
        """Raises NotConverged for the first thing that has been waited for too long."""
        now = self._clock.now()
        for step in steps.steps:
            limit = self._patience.get(step.kind, 0.0)
            if now - self._waiting_since.get((step.kind, step.name), now) > limit:
                held = _held_back(step, steps)
                raise NotConverged(
                    f"{step.kind} {step.name}: {step.reason}, after {limit:.0f} seconds of waiting",
                    why="\n".join(filter(None, (self._last_words(step), held))),
                    next_step=GO_BACK if held else GO_ON,
                )


def _key(step: Step) -> Key:
    return (step.kind, step.name, f"{step.action} {step.native_id}" if step.action in REPEATED_ATTEMPTS else "")


def _limit(step: Step) -> int:
    return REPEATED_ATTEMPTS.get(step.action, NODE_ATTEMPTS if step.kind == "node" else GROUND_ATTEMPTS)


def _named(steps: Sequence[Step]) -> str:
    """``node worker-0``; what should go and does not is named with its ids, to be found by hand."""
    if steps[0].action != "stop":
        return f"{steps[0].kind} {steps[0].name}"
    return f"{steps[0].kind} " + ", ".join(f"{step.name} ({step.native_id})" for step in steps)


def _held_back(failed: Step, steps: Plan) -> str:
    """Who was to be changed after ``failed`` and is not."""
    names = [step.name for step in steps.changes if step.action == "restart" and step.phase > failed.phase]
    return f"the change stops here; as before it: {', '.join(names)}" if failed.kind == "node" and names else ""
