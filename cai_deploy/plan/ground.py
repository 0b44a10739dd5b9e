"""Groundwork: one piece after the other, as each stands on those before it."""

from __future__ import annotations

from collections.abc import Iterator

from cai_deploy.state import Action, Ground, GroundState, Observation, Step, WantedGround


def ground_steps(wanted: tuple[WantedGround, ...], seen: Observation, first: int = 0) -> Iterator[Step]:
    """What it takes for all of ``wanted`` to stand, a phase each from ``first`` on."""
    there = {(ground.kind, ground.name): ground for ground in seen.ground}
    for phase, want in enumerate(wanted, first):
        step = _ground_step(want, there.get((want.kind, want.name)), phase)
        if step:
            yield step


def _ground_step(want: WantedGround, have: Ground | None, phase: int) -> Step | None:
    def step(action: Action, reason: str) -> Step:
        request = None if action == "wait" else want.request
        if action == "update" and want.update is not None:
            request = want.update
        return Step(action, want.kind, want.name, reason, phase, request=request)

    if want.gone:
        there = have is not None and have.state is not GroundState.ABSENT
        return step("stop", (have.reason if have else "") or "is no longer wanted") if there else None
    if have is None or have.state is GroundState.ABSENT:
        return step("create", have.reason if have and have.reason else "does not exist")
    if have.state is GroundState.IN_PROGRESS:
        return step("wait", have.reason or "is being made")
    if have.state is GroundState.FAILED:
        return step("create", f"the last attempt failed: {have.reason}" if have.reason else "the last attempt failed")
    if have.fingerprint != want.fingerprint:
        action, reason = _change(want, have)
        return step(action, reason)
    return None


def _change(want: WantedGround, have: Ground) -> tuple[Action, str]:
    """What is done about one that differs, and why: ``cpu: 2 -> 4``."""
    differing = [name for name, value in want.facts.items() if have.facts.get(name) != value]
    told = ", ".join(f"{name}: {have.facts.get(name)} -> {want.facts[name]}" for name in differing)
    fixed = [want.fixed[name] for name in differing if name in want.fixed]
    if fixed:
        return "replace", f"{told} ({'; '.join(fixed)})"
    return "update", told or "differs from what is wanted"
