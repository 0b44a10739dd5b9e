"""One thing that ``doctor`` looked at, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cai_deploy.errors import DeployError

Agree = Callable[[str], bool]
"""Asked before something is ended; told what it is."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. ``exit_code`` is 0 for one that is well, or is only worth a ``warning``."""

    name: str
    found: str
    next_step: str = ""
    exit_code: int = 0
    warning: bool = False

    @classmethod
    def failed(cls, name: str, error: DeployError) -> Check:
        """A check that ended with ``error``."""
        return cls(name, str(error), error.next_step, error.exit_code)

    @classmethod
    def warned(cls, name: str, found: str, next_step: str) -> Check:
        """A check that found what may do harm, and keeps nothing from working."""
        return cls(name, found, next_step, warning=True)

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def status(self) -> str:
        """In a word."""
        if not self.ok:
            return "failed"
        return "warn" if self.warning else "ok"


def lines(check: Check) -> Iterator[str]:
    """A check, for people."""
    first, *more = check.found.splitlines()
    yield f"{check.status:6}  {check.name}: {first}"
    yield from (f"        {line}" for line in more)
    if check.status != "ok" and check.next_step:
        yield f"        hint: {check.next_step}"
