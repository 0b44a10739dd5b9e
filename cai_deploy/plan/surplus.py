"""What is ours and nobody wants: it goes, workers first and the head last, so that they can say goodbye to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from cai_deploy.plan.nodes import is_overdue
from cai_deploy.spec import HEAD
from cai_deploy.state import DRAINING, Action, Limits, Node, NodeState, Observation, Request, Step, Wanted

UNWANTED = "is no longer wanted"
TWICE = "is there twice"


def surplus_steps(
    seen: Observation, members: Set[str], phase: int, wanted: Wanted, waited: Mapping[str, float]
) -> Iterator[Step]:
    """The way out for every node that is not one of ``members``, or is there a second time."""
    surplus, limits = list(_surplus(seen, members)), wanted.limits
    # Without a head to come back to, there is nobody to move work to; what is in hand can still be finished.
    drains = HEAD in members or wanted.gently
    workers = [
        step
        for have, reason in surplus
        if have.role != HEAD
        for step in _way_out(have, reason, phase, limits, waited.get(have.name, 0.0), drains=drains)
    ]
    yield from workers
    last = max((step.phase for step in workers), default=phase - 1) + 1
    for have, reason in surplus:
        if have.role == HEAD:
            yield from _way_out(have, reason, last, limits, waited.get(have.name, 0.0), drains=False)


def _surplus(seen: Observation, members: Set[str]) -> Iterator[tuple[Node, str]]:
    kept: set[str] = set()
    for have in seen.nodes:
        if have.name not in members:
            yield have, UNWANTED
        elif have.name in kept:
            yield have, TWICE
        kept.add(have.name)


def _way_out(have: Node, reason: str, phase: int, limits: Limits, waited: float, *, drains: bool) -> Iterator[Step]:
    def step(action: Action, reason: str, phase: int = phase, request: Request | None = None) -> Step:
        return Step(action, "node", have.name, reason, phase, have.native_id, request)

    overdue = is_overdue(have, waited, limits)
    if have.state is NodeState.STOPPING:
        yield step("stop", "is still stopping") if overdue else step("wait", "is stopping")
    elif drains and have.ray_state == DRAINING and not overdue:
        yield step("wait", "is draining")
    elif drains and have.ready and have.drain:
        yield step("drain", "before it is removed", request=have.drain)
        yield step("stop", reason, phase + 1)
    else:
        yield step("stop", reason)
