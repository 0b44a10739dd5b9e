"""Where a job's program runs. Pure.

On the head it would die with it. Ray sends it there unless it asks for resources or a label; a label costs nothing,
so it asks for any node that is not of the head's group, as soon as there is one that could hold it.

Nodes may share a machine, as batch jobs do and as pods on loopback addresses. Then Ray looks for what a program prints
in the files of the machine's head, or of any of its nodes: only the head, and who has a machine for itself, are sure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cai_deploy.submission.jobs import Member

GROUP_LABEL = "cai-deploy/group"
NODE_LABEL = "cai-deploy/node"
HEAD_GROUP = "head"
ON_THE_HEAD = {GROUP_LABEL: HEAD_GROUP}
OFF_THE_HEAD = {GROUP_LABEL: f"!{HEAD_GROUP}"}

LOOPBACK = "127."
"""All addresses that begin so are of one machine."""


@dataclass(frozen=True)
class Spot:
    """The labels of where a program runs, None where Ray puts it; and what a person has to know of that."""

    labels: Mapping[str, str] | None
    note: str = ""


def needed(num_cpus: float, num_gpus: float, memory: int, resources: Mapping[str, float]) -> dict[str, float]:
    """What the program asks for, in Ray's names."""
    told = {"CPU": num_cpus, "GPU": num_gpus, "memory": float(memory), **resources}
    return {name: amount for name, amount in told.items() if amount}


def on_the_head(need: Mapping[str, float]) -> Spot:
    """The head, where Ray puts what asks for nothing."""
    return Spot(ON_THE_HEAD if need else None)


def choose(members: Collection[Member], need: Mapping[str, float]) -> Spot:
    """The spot for a program that asks for ``need``, in a cluster of these ``members``, were they empty."""
    workers = [member for member in members if member.labels.get(GROUP_LABEL, HEAD_GROUP) != HEAD_GROUP]
    fitting = [member for member in workers if _holds(member, need)]
    if not fitting:
        where = "it runs where Ray puts it; on the head it would die with it"
        return Spot(None, f"no worker could hold the command, so {where}")
    there = Counter(map(_machine, members))
    alone = [member for member in workers if there[_machine(member)] == 1]
    if len(alone) == len(workers):
        return Spot(OFF_THE_HEAD)
    names = sorted(name for member in fitting if member in alone and (name := member.labels.get(NODE_LABEL)))
    if names:
        return Spot({NODE_LABEL: f"in({','.join(names)})"})
    if any(_holds(member, need) for member in members if member not in workers):
        why = "its nodes share a machine, where Ray finds what is printed there alone"
        return Spot(on_the_head(need).labels, f"the command runs on the cluster's head, and would die with it: {why}")
    return Spot(OFF_THE_HEAD, "nodes share a machine, where Ray may not find what the command prints")


def _holds(member: Member, need: Mapping[str, float]) -> bool:
    return all(member.resources.get(name, 0) >= amount for name, amount in need.items())


def _machine(member: Member) -> str:
    """What tells a machine from others; nobody is taken to share one with a node whose address is not known."""
    if member.address.startswith(LOOPBACK):
        return LOOPBACK
    return member.address or str(id(member))
