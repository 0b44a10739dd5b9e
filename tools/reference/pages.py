"""Which pages are made from code, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tools.reference import command_line, exit_codes, specification, troubleshooting, variables

DOCS = Path(__file__).parents[2] / "docs"

PAGES: Mapping[str, Callable[[], str]] = {
    "reference/cli.md": command_line.page,
    "reference/specification.md": specification.page,
    "reference/environment-variables.md": variables.page,
    "reference/exit-codes.md": exit_codes.page,
    "troubleshooting.md": troubleshooting.page,
}
