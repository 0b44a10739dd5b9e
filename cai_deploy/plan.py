"""(wanted, observation) -> Plan. The rules of change, and nothing else.

Pure: no clock, no I/O, no knowledge of any place. That is why the rules can be read, and tested, as a table: this is
wanted, that is there, so these steps follow, for these reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from cai_deploy.errors import DeployError
from cai_deploy.spec import HEAD
from cai_deploy.state import (
    Action,
    Ground,
    GroundState,
    Node,
    NodeState,
    Observation,
    Plan,
    Request,
    Step,
    Wanted,
    WantedGround,
    WantedNode,
)


class NameTaken(DeployError):
    """Something that is not ours has a name that we need."""


def plan(wanted: Wanted, seen: Observation, *, overdue: Set[str] = frozenset()) -> Plan:
    """What to do to get from ``seen`` to ``wanted``.

    ``overdue`` names the nodes that have been waited for too long; those that run are restarted instead of waited for.
    One that is still starting is not: its pod may wait for a machine, and a restart would put it last in the queue.
    Raises NameTaken when a node that does not carry our mark stands where one of ours should.
    """
    taken = sorted(node.name for node in wanted.nodes if node.name in seen.strangers)
    if taken:
        raise NameTaken(
            f"{', '.join(taken)}: the name is taken by something that this cluster does not own",
            next_step="choose another cluster name, or delete it by hand if it is yours",
        )
    steps = [*_ground_steps(wanted.ground, seen), *_node_steps(wanted, seen, overdue), *_surplus_steps(wanted, seen)]
    return Plan(tuple(sorted(steps, key=lambda step: step.phase)))


def _ground_steps(wanted: tuple[WantedGround, ...], seen: Observation) -> Iterator[Step]:
    there = {(ground.kind, ground.name): ground for ground in seen.ground}
    for phase, want in enumerate(wanted):
        step = _ground_step(want, there.get((want.kind, want.name)), phase)
        if step:
            yield step


def _ground_step(want: WantedGround, have: Ground | None, phase: int) -> Step | None:
    def step(action: Action, reason: str) -> Step:
        request = None if action == "wait" else want.request
        return Step(action, want.kind, want.name, reason, phase, request=request)

    if have is None or have.state is GroundState.ABSENT:
        return step("create", have.reason if have and have.reason else "does not exist")
    if have.state is GroundState.IN_PROGRESS:
        return step("wait", have.reason or "is being made")
    if have.state is GroundState.FAILED:
        return step("create", f"the last attempt failed: {have.reason}" if have.reason else "the last attempt failed")
    if have.fingerprint != want.fingerprint:
        return step("update", "differs from what is wanted")
    return None


def _node_steps(wanted: Wanted, seen: Observation, overdue: Set[str]) -> Iterator[Step]:
    phase = len(wanted.ground)
    there = {node.name: node for node in seen.nodes}
    for want in wanted.nodes:
        have = there.get(want.name)
        step = (
            Step("create", "node", want.name, "does not exist", phase, request=want.create)
            if have is None
            else _node_step(want, have, phase, overdue=want.name in overdue)
        )
        if step:
            yield step


def _node_step(want: WantedNode, have: Node, phase: int, *, overdue: bool) -> Step | None:
    def step(action: Action, reason: str, request: Request | None = None) -> Step:
        return Step(action, "node", want.name, reason, phase, have.native_id, request)

    if have.state is NodeState.STOPPING:
        return step("wait", "is stopping")
    differing = [name for name, value in want.facts.items() if have.facts.get(name) != value]
    if set(differing) - want.in_place or have.fingerprint != want.fingerprint:
        return step("restart", _changed(want, have, differing), want.update)
    if have.state in (NodeState.STOPPED, NodeState.FAILED):
        return step("restart", "has failed" if have.state is NodeState.FAILED else "is stopped")
    if differing:
        return step("update", _changed(want, have, differing), want.update)
    if have.ready:
        return None
    if overdue and have.state is NodeState.RUNNING:
        return step("restart", f"{_not_ready(have)} for too long")
    return step("wait", _not_ready(have))


def _changed(want: WantedNode, have: Node, differing: list[str]) -> str:
    """What differs, and how: ``cpu: 2 -> 4``. Variables are named without their values, which may be secrets."""
    told = [
        f"{name} differs" if name.startswith("env.") else f"{name}: {have.facts.get(name)} -> {want.facts[name]}"
        for name in differing
    ]
    reason = ", ".join(told) or "what it is made from changed"
    restarts_head = want.role == HEAD and (not differing or set(differing) - want.in_place)
    return f"{reason} (restarts the head: every worker has to rejoin)" if restarts_head else reason


def _not_ready(have: Node) -> str:
    if have.state is not NodeState.RUNNING:
        return f"is {have.state.value}"
    if not have.ray_state:
        return "runs, but Ray does not list it"
    return f"runs, but Ray calls it {have.ray_state}"


def _surplus_steps(wanted: Wanted, seen: Observation) -> Iterator[Step]:
    """What is ours and no longer wanted goes; the head last, so that workers can still say goodbye to it."""
    names = {want.name for want in wanted.nodes}
    phase = len(wanted.ground)
    for have in seen.nodes:
        if have.name not in names:
            gone_last = phase + (have.role == HEAD)
            if have.state is NodeState.STOPPING:
                yield Step("wait", "node", have.name, "is stopping", gone_last, have.native_id)
            else:
                yield Step("stop", "node", have.name, "is no longer wanted", gone_last, have.native_id)
