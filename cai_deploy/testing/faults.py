"""Misfortunes for a test: ``ws.faults.add("error_after", method="POST", path="*/applications", nth=1)``.

What the kinds and the fields of a rule mean is told in docs/local-workspace.md; the workspace checks them, strictly.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cai_deploy.errors import DeployError
from cai_deploy.testing.admin import Admin

_PAUSE = 0.01


@dataclass(frozen=True)
class Fault:
    """A rule in force, as it was when the workspace was asked: what it met (``seen``), how often it happened."""

    id: str
    kind: str
    seen: int
    fired: int
    rule: dict[str, Any]


class Faults:
    """The misfortunes of one workspace."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def add(self, kind: str, **rule: Any) -> Fault:
        """Put a rule in force. ConfigError for one that the workspace cannot carry out."""
        return _fault(self._admin.ask("POST", "faults", {"kind": kind, **rule}))

    @contextlib.contextmanager
    def during(self, kind: str, **rule: Any) -> Iterator[Fault]:
        """A rule that is in force within a ``with`` block."""
        fault = self.add(kind, **rule)
        try:
            yield fault
        finally:
            self.remove(fault.id)

    def remove(self, identifier: str) -> None:
        """Take a rule away; whatever it held up goes on."""
        self._admin.ask("DELETE", f"faults/{identifier}")

    def clear(self) -> None:
        """Take every rule away, and count calls from zero again."""
        self._admin.ask("DELETE", "faults")

    def all(self) -> list[Fault]:
        """Every rule, in the order in which they came."""
        return [_fault(shown) for shown in self._admin.ask("GET", "faults")["faults"]]

    def calls(self) -> dict[tuple[str, str], int]:
        """How often each ``(method, route)`` of the API was called, the spoiled calls included."""
        shown = self._admin.ask("GET", "faults")["calls"]
        return {(each["method"], each["route"]): each["count"] for each in shown}

    def wait_until_fired(self, identifier: str, times: int = 1, *, timeout: float = 10.0) -> Fault:
        """Return once a rule has happened so many times: the moment to kill a client in the midst of its k-th call."""
        until = time.monotonic() + timeout
        while True:
            fault = next((each for each in self.all() if each.id == identifier), None)
            if fault and fault.fired >= times:
                return fault
            if time.monotonic() > until:
                raise DeployError(
                    f"{identifier} did not happen within {timeout:g} seconds", why=f"it stands at {fault}"
                )
            time.sleep(_PAUSE)


def _fault(shown: dict[str, Any]) -> Fault:
    rule = {name: value for name, value in shown.items() if name not in ("id", "kind", "seen", "fired")}
    return Fault(shown["id"], shown["kind"], shown["seen"], shown["fired"], rule)
