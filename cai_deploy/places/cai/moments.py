"""The platform's times, as its answers and our records have them: in UTC, with more digits than anybody needs."""

from __future__ import annotations

from datetime import datetime, timezone

SECONDS = "2026-11-21T08:50:40"


def moment(text: str) -> datetime | None:
    """A time in UTC to the second, None for what is none."""
    try:
        return datetime.strptime(text[: len(SECONDS)], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
