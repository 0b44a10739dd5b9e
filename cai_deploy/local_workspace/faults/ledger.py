"""The rules that stand, what each has met, and how often every route was called.

The one place with state. The life-cycles ask it here; it knows records by their names only, never what becomes of
them.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cai_deploy.local_workspace.faults import matching
from cai_deploy.local_workspace.faults.matching import Call, Subject
from cai_deploy.local_workspace.faults.rules import Kind, Rule
from cai_deploy.local_workspace.store import Record, Store


@dataclass
class Standing:
    """A rule and its history. A thing, unlike a call, is met once and keeps its verdict."""

    rule: Rule
    since: float
    seen: int = 0
    fired: int = 0
    verdicts: dict[str, bool] = field(default_factory=dict)

    def meet(self) -> bool:
        """One more occasion: does it happen?"""
        self.seen += 1
        return matching.happens(self.rule, self.seen, self.fired)

    def shown(self) -> dict[str, Any]:
        """For JSON."""
        return self.rule.shown() | {"seen": self.seen, "fired": self.fired}


class Faults:
    """Every rule of a workspace. Used from its event loop alone."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._standing: dict[str, Standing] = {}
        self._calls: Counter[tuple[str, str]] = Counter()
        self._number = 0
        self._changed = asyncio.Event()

    def add(self, rule: Rule) -> Standing:
        """From now on."""
        self._number += 1
        named = rule.named(f"fault-{self._number}")
        self._standing[named.id] = Standing(named, self._clock())
        self._wake()
        return self._standing[named.id]

    def remove(self, identifier: str) -> Rule | None:
        """Take a rule away; whom it held up goes on."""
        standing = self._standing.pop(identifier, None)
        self._wake()
        return standing.rule if standing else None

    def all(self) -> list[Standing]:
        """Every rule in the order in which they came, those included that have run out."""
        return list(self._standing.values())

    def is_over(self, standing: Standing) -> bool:
        """Whether a rule has run out."""
        return not matching.stands(standing.rule, self._clock() - standing.since)

    def calls(self) -> list[dict[str, Any]]:
        """How often each route was called so far."""
        return [{"method": each[0], "route": each[1], "count": count} for each, count in sorted(self._calls.items())]

    def forget_calls(self) -> None:
        """Count from zero again."""
        self._calls.clear()

    def on_call(self, call: Call) -> Rule | None:
        """Count a call; the rule that spoils it. Every rule counts what it meets, the first that happens is taken."""
        self._calls[call.method, call.route] += 1
        chosen: Standing | None = None
        for standing in self._in_force():
            if matching.meets_call(standing.rule, call) and standing.meet() and chosen is None:
                chosen = standing
        if chosen:
            chosen.fired += 1
        return chosen.rule if chosen else None

    def strikes(self, kind: Kind, record: Record) -> Rule | None:
        """The rule of this kind that the thing suffers from at the moment."""
        return next((rule for rule in self._suffered(kind, record)), None)

    async def hold(self, kind: Kind, record: Record, until: asyncio.Event) -> None:
        """Return at once where no rule holds the thing up; otherwise when none does any more, or at ``until``."""
        while not until.is_set() and (rule := self.strikes(kind, record)):
            waiting = [asyncio.ensure_future(event.wait()) for event in (self._changed, until)]
            try:
                await asyncio.wait(waiting, timeout=self._rest_of(rule), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()

    def _suffered(self, kind: Kind, record: Record) -> Iterator[Rule]:
        subject: Subject | None = None
        for standing in self._in_force():
            if standing.rule.kind is not kind:
                continue
            subject = subject or self._subject(record)
            if not matching.meets_subject(standing.rule, subject):
                continue
            if subject.id not in standing.verdicts:
                standing.verdicts[subject.id] = standing.meet()
                standing.fired += standing.verdicts[subject.id]
            if standing.verdicts[subject.id]:
                yield standing.rule

    def _subject(self, record: Record) -> Subject:
        shown = record.shown
        if job_id := shown.get("job_id"):
            job = self._store.find("job", job_id)
            return Subject(record.id, (job_id, job.shown["name"] if job else ""))
        return Subject(record.id, tuple(name for name in (shown.get("name"), shown.get("subdomain")) if name))

    def _in_force(self) -> list[Standing]:
        return [standing for standing in self._standing.values() if not self.is_over(standing)]

    def _rest_of(self, rule: Rule) -> float | None:
        standing = self._standing.get(rule.id)
        if standing is None or rule.duration is None:
            return None
        return max(0.0, rule.duration - (self._clock() - standing.since)) + 0.001

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
