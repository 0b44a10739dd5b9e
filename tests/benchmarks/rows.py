"""What a benchmark finds out, row by row: ours, what it is measured beside, their ratio, the goal. Knows no pytest.

Machines differ and are noisy, so that a time alone says nothing: both are measured in turns, and each turn gives a
ratio. What can be counted (calls, files opened, processes) is the same everywhere, and stands for itself.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

HEADINGS = ("figure", "beside", "median", "least", "most", "of", "goal", "")
REPORT = "performance"


@dataclass(frozen=True)
class Goal:
    """A bound for a figure."""

    kind: Literal["at most", "at least"]
    bound: float

    def met_by(self, figure: float) -> bool:
        """Whether ``figure`` is within the bound."""
        return figure <= self.bound if self.kind == "at most" else figure >= self.bound

    def __str__(self) -> str:
        return f"{self.kind} {self.bound:g}"


def at_most(bound: float) -> Goal:
    """A goal for what should be small."""
    return Goal("at most", bound)


def at_least(bound: float) -> Goal:
    """A goal for what should be large."""
    return Goal("at least", bound)


@dataclass(frozen=True)
class Row:
    """One figure. ``told`` is what is shown of the machine's own times, which say nothing of another machine.

    ``in_the_way`` says why the goal is missed, where that is known.
    """

    figure: str
    beside: str
    median: float
    least: float
    most: float
    rounds: int
    goal: str = ""
    met: bool | None = None
    in_the_way: str = ""
    told: str = ""

    def toward(self, goal: Goal, in_the_way: str = "") -> Row:
        """The same with a goal."""
        met = goal.met_by(self.median)
        return replace(self, goal=str(goal), met=met, in_the_way="" if met else in_the_way)

    def cells(self) -> tuple[str, ...]:
        """What stands in the table, below HEADINGS."""
        spread = (f"{self.least:.3g}", f"{self.most:.3g}", str(self.rounds)) if self.rounds > 1 else ("", "", "1")
        verdict = {None: "", True: "met", False: f"missed: {self.in_the_way}" if self.in_the_way else "missed"}[
            self.met
        ]
        return (self.figure, self.beside, f"{self.median:.3g}", *spread, self.goal, verdict)


def ratio(figure: str, ours: Sequence[float], beside: str, theirs: Sequence[float], *, unit: str = "s") -> Row:
    """How many times what stands ``beside`` we take, turn by turn. Both have one entry for each turn."""
    each = [one / other for one, other in zip(ours, theirs, strict=True)]
    told = f"{statistics.median(ours):.3g} {unit} / {statistics.median(theirs):.3g} {unit}"
    return Row(figure, beside, statistics.median(each), min(each), max(each), len(each), told=told)


def count(figure: str, *found: float, beside: str = "counted") -> Row:
    """What is counted, or is a share of something: the same on every machine."""
    return Row(figure, beside, statistics.median(found), min(found), max(found), len(found))


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown. No time of this machine is in it."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> dict[str, object]:
    """What the figures were found on, in a few words that name nobody."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }


def write_report(directory: Path, rows: Sequence[Row]) -> tuple[Path, Path]:
    """The table as Markdown, and everything as JSON; where they are."""
    directory.mkdir(parents=True, exist_ok=True)
    found_on = machine()
    shown, data = directory / f"{REPORT}.md", directory / f"{REPORT}.json"
    words = "{cores} cores, {system} on {architecture}, Python {python}".format(**found_on)
    shown.write_text(f"{words}\n\n{table(rows)}\n", encoding="utf-8")
    document = {"machine": found_on, "rows": [asdict(row) for row in rows]}
    data.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return shown, data
