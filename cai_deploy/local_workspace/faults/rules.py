"""What can go wrong, and when: a rule is a value. Pure; read from JSON and shown as JSON, strict in both.

A rule with a misspelt field would be a test that tests nothing, so whatever is unknown is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import Any


class Kind(str, Enum):
    """A misfortune. The first group meets calls of the API, the second things that live in the workspace."""

    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    CUT_OFF = "cut_off"
    HTML_502 = "html_502"
    RATE_LIMIT = "rate_limit"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    DROP = "drop"
    DROP_AFTER = "drop_after"
    SLOW = "slow"
    SLOW_AFTER = "slow_after"

    CREATION_FAILURE = "creation_failure"
    STUCK_SCHEDULING = "stuck_scheduling"
    STUCK_STARTING = "stuck_starting"
    NO_POD = "no_pod"
    ENGINE_UNKNOWN = "engine_unknown"
    SMALL_SHM = "small_shm"
    POD_KILLED = "pod_killed"
    POD_CUT_OFF = "pod_cut_off"

    @property
    def meets_calls(self) -> bool:
        """Whether it happens to calls; the others happen to projects, runs, applications and their pods."""
        return self in _OF_CALLS


_OF_CALLS = frozenset(list(Kind)[: list(Kind).index(Kind.CREATION_FAILURE)])

SAID = {
    Kind.ERROR_BEFORE: "500, and nothing was done",
    Kind.ERROR_AFTER: "500, although the work was done",
    Kind.CUT_OFF: "the gateway gives up after its time-out: 500, while the work goes on",
    Kind.HTML_502: "502 with a page of HTML from a proxy",
    Kind.RATE_LIMIT: "429 with Retry-After",
    Kind.UNAUTHORIZED: "401, as for a key that was revoked",
    Kind.FORBIDDEN: "403 with code 7, as for a missing role",
    Kind.DROP: "the connection closes with no answer, and nothing was done",
    Kind.DROP_AFTER: "the connection closes with no answer, although the work was done",
    Kind.SLOW: "the work begins after a delay",
    Kind.SLOW_AFTER: "the work is done at once, its answer comes after a delay",
    Kind.CREATION_FAILURE: "new projects end in creation status failure",
    Kind.STUCK_SCHEDULING: "the quota is used up: runs stay in ENGINE_SCHEDULING, applications get no pod",
    Kind.STUCK_STARTING: "applications stay in APPLICATION_STARTING, whatever their pod does",
    Kind.NO_POD: "applications are shown as running while they have no pod",
    Kind.ENGINE_UNKNOWN: "runs that have begun are shown as ENGINE_UNKNOWN, while they go on",
    Kind.SMALL_SHM: "new pods have a /dev/shm of 64 MB",
    Kind.POD_KILLED: "the pods that run now are killed, once",
    Kind.POD_CUT_OFF: "the pods that run now lose their network, until the rule is taken away",
}

GATEWAY_SECONDS = 30.0
_DELAYS = {Kind.CUT_OFF: GATEWAY_SECONDS, Kind.SLOW: 1.0, Kind.SLOW_AFTER: 1.0}


@dataclass(frozen=True)
class Rule:
    """One misfortune and its occasions. Fields that are left alone let it happen every time, to everything.

    ``method`` and ``path`` choose calls, ``target`` chooses things by id, name or subdomain; ``*`` and ``?`` stand for
    any text. Of the occasions that match, counted from 1, it happens at the ``nth`` only, at ``every`` kth, or with a
    ``probability`` that the ``seed`` makes the same each time; at most ``count`` times, and for ``duration`` seconds.
    """

    kind: Kind
    method: str = "*"
    path: str = "*"
    target: str = "*"
    nth: int | None = None
    every: int | None = None
    probability: float = 1.0
    seed: int = 0
    count: int | None = None
    duration: float | None = None
    delay: float | None = None
    lag: float = 0.0
    retry_after: int = 1
    id: str = ""

    @property
    def seconds(self) -> float:
        """The delay in force."""
        return _DELAYS.get(self.kind, 0.0) if self.delay is None else self.delay

    def named(self, identifier: str) -> Rule:
        """The same rule with an id."""
        return replace(self, id=identifier)

    def shown(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"kind": self.kind.value}


_NUMBERS: dict[str, tuple[type, float]] = {  # name -> kind of number, smallest
    "nth": (int, 1),
    "every": (int, 1),
    "seed": (int, float("-inf")),
    "count": (int, 1),
    "retry_after": (int, 0),
    "probability": (float, 0),
    "duration": (float, 0),
    "delay": (float, 0),
    "lag": (float, 0),
}
_FIELDS = {field.name for field in fields(Rule)} - {"id"}


def parse(body: Mapping[str, Any]) -> Rule:
    """The rule that a request describes. ValueError says what is wrong with it."""
    kinds = [kind.value for kind in Kind]
    if body.get("kind") not in kinds:
        raise ValueError(f"kind is one of {', '.join(kinds)}")
    kind = Kind(body["kind"])
    if unknown := sorted(set(body) - _FIELDS):
        raise ValueError(f"unknown: {', '.join(unknown)}; a rule has {', '.join(sorted(_FIELDS))}")
    given = {name: value for name, value in body.items() if name != "kind" and value is not None}
    foreign = {"target"} if kind.meets_calls else {"method", "path"}
    if wrong := sorted(foreign & set(given)):
        raise ValueError(f"{kind.value} has no {wrong[0]}")
    for name in {"method", "path", "target"} & set(given):
        if not isinstance(given[name], str) or not given[name]:
            raise ValueError(f"{name} is a text")
    for name, (number, smallest) in _NUMBERS.items():
        if name in given:
            given[name] = _number(name, given[name], number, smallest)
    if given.get("probability", 0.0) > 1:
        raise ValueError("probability is between 0 and 1")
    return Rule(kind, **given)


def _number(name: str, value: object, number: type, smallest: float) -> float | int:
    fits = isinstance(value, int) or (number is float and isinstance(value, float))
    if isinstance(value, bool) or not isinstance(value, int | float) or not fits or not value >= smallest:
        least = "" if smallest == float("-inf") else f" of at least {smallest:g}"
        raise ValueError(f"{name} is {'an integer' if number is int else 'a number'}{least}")
    return int(value) if number is int else float(value)
