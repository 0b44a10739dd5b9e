"""Whether this node's Ray and Python may join the head's. Pure, but for asking what is installed here.

Measured on Ray 2.60: ``ray start`` on a worker refuses another Ray, and another Python down to its patch version,
unless RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL is ``minor``: then it only warns of another patch version.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

MATCH_LEVEL = "RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL"


@dataclass(frozen=True)
class Versions:
    """What one side runs."""

    ray: str
    python: str

    def __str__(self) -> str:
        return f"Ray {self.ray} on Python {self.python}"

    def may_join(self, head: Versions, environ: Mapping[str, str]) -> bool:
        """As Ray itself decides it."""
        parts = 2 if environ.get(MATCH_LEVEL) == "minor" else 3
        return self.ray == head.ray and self.python.split(".")[:parts] == head.python.split(".")[:parts]


def versions_here(expected_ray: str) -> Versions:
    """Those of this interpreter; ``expected_ray`` where its Ray has no name, as one that was built by hand."""
    return Versions(installed_ray() or expected_ray, ".".join(str(part) for part in sys.version_info[:3]))


def installed_ray() -> str:
    """The version of Ray that this interpreter would start, "" when it has none."""
    try:
        return metadata.version("ray")
    except metadata.PackageNotFoundError:
        return ""
