"""Short, stable digests: equal things have equal fingerprints, on every machine and in every version of Python."""

from __future__ import annotations

import hashlib


def fingerprint(text: str) -> str:
    """A digest of ``text`` that is short enough for an environment variable and a table."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
