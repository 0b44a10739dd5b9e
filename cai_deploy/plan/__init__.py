"""(wanted, observation) -> Plan. The rules of change, and nothing else.

Pure: no clock, no I/O, no knowledge of any place. That is why the rules can be read, and tested, as a table: this is
wanted, that is there, so these steps follow, for these reasons. What has to be waited out comes in as a number of
seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from cai_deploy.errors import DeployError
from cai_deploy.plan.ground import ground_steps
from cai_deploy.plan.rolling import Roll
from cai_deploy.plan.surplus import surplus_steps
from cai_deploy.state import Observation, Plan, Wanted


class NameTaken(DeployError):
    """Something that is not ours has a name that we need."""


def plan(wanted: Wanted, seen: Observation, *, waited: Mapping[str, float] | None = None) -> Plan:
    """What to do to get from ``seen`` to ``wanted``.

    ``waited`` is for how long (seconds) each node has been waited for in the state in which it is now. Raises NameTaken
    when a node that does not carry our mark stands where one of ours should.
    """
    patience = waited or {}
    taken = sorted(node.name for node in wanted.nodes if node.name in seen.strangers)
    if taken:
        raise NameTaken(
            f"{', '.join(taken)}: the name is taken by something that this cluster does not own",
            next_step="choose another cluster name, or delete it by hand if it is yours",
        )
    first = len(wanted.ground)
    roll = Roll(wanted, seen, patience)
    nodes = [*roll.steps(first), *surplus_steps(seen, roll.members, first, wanted, patience)]
    last = max((step.phase for step in nodes), default=first) + 1
    steps = [*ground_steps(wanted.ground, seen), *nodes, *ground_steps(wanted.records, seen, last)]
    return Plan(tuple(sorted(steps, key=lambda step: step.phase)))


__all__ = ["NameTaken", "plan"]
