"""Credentials in URLs never reach an error or a log: git and package tools repeat the URLs that they were given."""

from __future__ import annotations

import re


def without_credentials(text: str) -> str:
    """``text`` with user names and tokens in URLs blanked out."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1***@", text)
