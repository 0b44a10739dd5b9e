"""One node: what is wanted of it against what it is, and the step between, as if it were alone.

That a node which is up must not always be taken down at once is for ``rolling.py`` to know.
"""

from __future__ import annotations

from cai_deploy.spec import HEAD
from cai_deploy.state import DRAINED, DRAINING, Action, Limits, Node, NodeState, Request, Step, WantedNode

STALE = "was changed and has not been started anew since"


def why_restart(want: WantedNode, have: Node) -> str:
    """Why the node has to be started anew to be as wanted, "" when it need not."""
    differing = _differing(want, have)
    as_wanted = not set(differing) - want.in_place and have.fingerprint == want.fingerprint
    if as_wanted and not have.stale:
        return ""
    reason = _told(want, have, differing) or (STALE if as_wanted else "what it is made from changed")
    return f"{reason} (restarts the head: every worker has to rejoin)" if want.role == HEAD else reason


def create_step(want: WantedNode, phase: int, reason: str) -> Step:
    """The step that makes the node."""
    return Step("create", "node", want.name, reason, phase, request=want.create)


def change_step(want: WantedNode, have: Node, phase: int, reason: str) -> Step:
    """The step that starts the node anew with what is wanted of it."""
    return Step("restart", "node", want.name, reason, phase, have.native_id, want.update)


def node_step(want: WantedNode, have: Node, phase: int, waited: float, limits: Limits) -> Step | None:
    """What a node needs that has the right settings, or whose settings do not matter yet; None when it is fine."""

    def step(action: Action, reason: str, request: Request | None = None) -> Step:
        return Step(action, "node", want.name, reason, phase, have.native_id, request)

    if have.state is NodeState.STOPPING:
        return step("wait", "is stopping")
    if have.state in (NodeState.STOPPED, NodeState.FAILED):
        return step("restart", _because("has failed" if have.state is NodeState.FAILED else "is stopped", have))
    differing = [name for name in _differing(want, have) if name in want.in_place]
    if differing:
        return step("update", _told(want, have, differing), want.touch)
    if have.ready:
        return None
    if have.ray_state == DRAINED:
        return step("restart", "was drained")
    if is_overdue(have, waited, limits):
        return step("restart", f"{not_ready(have)} for too long")
    return step("wait", not_ready(have))


def is_overdue(have: Node, waited: float, limits: Limits) -> bool:
    """Whether a node has been waited for too long in the state in which it is.

    One that is still starting never is: its pod may wait for a machine, and a restart would put it last in the queue.
    """
    if have.state is NodeState.STOPPING:
        return waited >= limits.stop
    if have.state is not NodeState.RUNNING:
        return False
    return waited >= (limits.drain if have.ray_state == DRAINING else limits.join)


def not_ready(have: Node) -> str:
    """What keeps a node from being ready."""
    if have.state is not NodeState.RUNNING:
        return _because(f"is {have.state.value}", have)
    if not have.ray_state:
        return "runs, but Ray does not list it"
    if have.ray_state == DRAINING:
        return "is draining"
    return f"runs, but Ray calls it {have.ray_state}"


def _because(what: str, have: Node) -> str:
    """``what``, and why the place says that it is so."""
    return f"{what}: {have.reason}" if have.reason else what


def _differing(want: WantedNode, have: Node) -> list[str]:
    return [name for name, value in want.facts.items() if have.facts.get(name) != value]


def _told(want: WantedNode, have: Node, differing: list[str]) -> str:
    """What differs, and how: ``cpu: 2 -> 4``. Variables are named without their values, which may be secrets."""
    return ", ".join(
        f"{name} differs" if name.startswith("env.") else f"{name}: {have.facts.get(name)} -> {want.facts[name]}"
        for name in differing
    )
