"""Which nodes are changed when: what is up goes down in batches, what is down already is changed at once.

A group never has more nodes down than its rollout allows, whoever took them down: a batch that does not come up keeps
the next from starting, so a bad change stops at its first batch. Batches are phases of the plan, which is all that the
reconciler needs to know of them. When the head itself is restarted, the workers have to rejoin anyway and everything
is changed at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cai_deploy.plan.nodes import change_step, create_step, is_overdue, node_step, why_restart
from cai_deploy.spec import HEAD
from cai_deploy.state import DRAINING, Node, NodeState, Observation, Rollout, Step, Wanted, WantedNode

SPARE = "stands in while its group is changed"
ABSENT = "does not exist"


class Roll:
    """The nodes of one plan. ``members`` are all that may exist: the wanted ones, and the spares that are needed."""

    def __init__(self, wanted: Wanted, seen: Observation, waited: Mapping[str, float]) -> None:
        self._wanted = wanted
        self._waited = waited
        self._ends = seen.ends
        self._there: dict[str, Node] = {}
        for node in seen.nodes:
            self._there.setdefault(node.name, node)
        self._changed = self._changes(wanted.nodes)
        self._at_once = HEAD in self._changed
        self._spares = () if self._at_once else tuple(self._needed_spares())
        self._changed |= self._changes(self._spares)
        self.members = frozenset(want.name for want in (*wanted.nodes, *self._spares))

    def steps(self, phase: int) -> Iterator[Step]:
        """What the members need, from ``phase`` on."""
        rolled: dict[str, list[WantedNode]] = {}
        for want in (*self._wanted.nodes, *self._spares):
            if self._is_up_and_changes(want):
                rolled.setdefault(want.group, []).append(want)
                continue
            step = self._step_alone(want, phase)
            if step:
                yield step
        for group, members in rolled.items():
            yield from self._roll(group, members, phase)

    def _changes(self, wanted: Iterable[WantedNode]) -> dict[str, str]:
        """The nodes that have to be started anew, with the reason."""
        pairs = ((want, self._there[want.name]) for want in wanted if want.name in self._there)
        return {want.name: reason for want, have in pairs if (reason := why_restart(want, have))}

    def _needed_spares(self) -> Iterator[WantedNode]:
        """Spares while nodes of their group still have to change; those that run stay until the others are ready."""
        for group, rollout in self._wanted.rollouts.items():
            names = [want.name for want in self._wanted.nodes if want.group == group]
            changing = sum(name in self._changed for name in names)
            all_ready = all(name in self._there and self._there[name].ready for name in names)
            spares = [want for want in self._wanted.spares if want.group == group][: rollout.max_surge]
            for number, spare in enumerate(spares):
                if number < changing or (spare.name in self._there and not all_ready):
                    yield spare

    def _is_up_and_changes(self, want: WantedNode) -> bool:
        """Whether the change would take the node down now; one that Ray cannot be asked about may well be working."""
        have = self._there.get(want.name)
        if have is None or want.name not in self._changed or self._at_once:
            return False
        head = self._there.get(HEAD)
        nobody_knows = have.state is NodeState.RUNNING and not have.ray_state and bool(head and not head.ready)
        return have.ready or nobody_knows

    def _step_alone(self, want: WantedNode, phase: int) -> Step | None:
        have = self._there.get(want.name)
        if have is None:
            reason = SPARE if want in self._spares else self._ends.get(want.name, ABSENT)
            return create_step(want, phase, reason)
        waited = self._waited.get(want.name, 0.0)
        drains = have.ray_state == DRAINING and not is_overdue(have, waited, self._wanted.limits)
        if want.name in self._changed and have.state is not NodeState.STOPPING and not drains:
            return change_step(want, have, phase, self._changed[want.name])
        return node_step(want, have, phase, waited, self._wanted.limits)

    def _roll(self, group: str, members: list[WantedNode], phase: int) -> Iterator[Step]:
        rollout = self._wanted.rollouts.get(group, Rollout())
        now = self._allowed_down(group, rollout)
        # Idle ones first: they have no work to finish, and the busy ones may be idle by then.
        members = sorted(members, key=lambda want: self._there[want.name].idle is not True)
        yield from self._batch(members[:now], phase)
        size = max(rollout.max_unavailable, 1)
        for number, start in enumerate(range(now, len(members), size), 1):
            yield from self._batch(members[start : start + size], phase + 2 * number)

    def _allowed_down(self, group: str, rollout: Rollout) -> int:
        everybody = (*self._wanted.nodes, *self._spares)
        ready = sum(
            want.group == group and want.name in self._there and self._there[want.name].ready for want in everybody
        )
        replicas = sum(want.group == group for want in self._wanted.nodes)
        return max(0, ready - (replicas - rollout.max_unavailable))

    def _batch(self, members: list[WantedNode], phase: int) -> Iterator[Step]:
        """First drained, all of them, then started anew."""
        for want in members:
            have = self._there[want.name]
            if have.drain:
                yield Step("drain", "node", want.name, "before its restart", phase, have.native_id, have.drain)
        for want in members:
            have = self._there[want.name]
            yield change_step(want, have, phase + bool(have.drain), self._changed[want.name])
