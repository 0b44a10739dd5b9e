"""The workflows of .github/ and the action of action.yml as data, for the tests that read them and those that run them.

Every value is text, as GitHub hands it to a step: "true" is no truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
ACTION = REPOSITORY / "action.yml"
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


@dataclass(frozen=True)
class Step:
    """One step, and where it stands. ``job`` is "" in an action."""

    file: str
    job: str
    number: int
    said: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.file} {self.job} step {self.number} ({self.said.get('name') or self.said.get('uses')})"


def load(file: Path) -> dict[str, Any]:
    """A workflow or an action."""
    loaded = yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506 (texts and nothing else)
    assert isinstance(loaded, dict)
    return loaded


def steps_of(file: Path) -> Iterator[Step]:
    """All steps of a workflow or an action, in order."""
    loaded = load(file)
    jobs = loaded.get("jobs") or {"": loaded.get("runs", {})}
    for job, said in jobs.items():
        for number, step in enumerate(said["steps"], start=1):
            yield Step(file.name, job, number, step)


def all_steps() -> Iterator[Step]:
    """Those of every workflow, and of the action."""
    for file in (*WORKFLOWS, ACTION):
        yield from steps_of(file)
