"""Blanking out what must not be told: the credentials in URLs. Git, pip and people put them into texts that we show."""

from __future__ import annotations

import re


def without_credentials(text: str) -> str:
    """``text`` with the user names and tokens in its URLs blanked out, however many there are."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1***@", text)
