"""Whether a rule meets an occasion, and whether it then happens. Pure, and the same each time it is asked."""

from __future__ import annotations

import random
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cai_deploy.local_workspace.faults.rules import Rule


@dataclass(frozen=True)
class Call:
    """One call of the API. ``route`` is its path with the placeholders: ``/api/v2/projects/{project_id}/jobs``."""

    method: str
    path: str
    route: str


@dataclass(frozen=True)
class Subject:
    """Something that lives in the workspace, under each of the names by which a rule may mean it."""

    id: str
    names: tuple[str, ...]


def meets_call(rule: Rule, call: Call) -> bool:
    """Whether ``rule`` is about such a call."""
    if not rule.kind.meets_calls or not fnmatchcase(call.method, rule.method.upper()):
        return False
    return rule.path == call.route or fnmatchcase(call.path, rule.path)


def meets_subject(rule: Rule, subject: Subject) -> bool:
    """Whether ``rule`` is about such a thing."""
    if rule.kind.meets_calls:
        return False
    return any(fnmatchcase(name, rule.target) for name in (subject.id, *subject.names))


def stands(rule: Rule, age: float) -> bool:
    """Whether the rule is still in force."""
    return rule.duration is None or age < rule.duration


def happens(rule: Rule, occasion: int, fired: int) -> bool:
    """Whether it happens at the ``occasion``-th time that the rule meets something, having ``fired`` before."""
    if rule.count is not None and fired >= rule.count:
        return False
    if rule.nth is not None and occasion != rule.nth:
        return False
    if rule.every is not None and occasion % rule.every:
        return False
    # Each occasion has dice of its own: what one call meets does not depend on how many others came before.
    return rule.probability >= 1 or random.Random(f"{rule.seed}:{occasion}").random() < rule.probability  # noqa: S311
