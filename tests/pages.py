"""Pages of the documentation as tests read them: their links, their headings, and the blocks that are there to be run.

A block of bash below the mark `<!-- runs -->` is run as it stands. A block of text right behind it has lines of what it
shows, in order: `...` stands for anything, in a line or between lines, and so does every line that is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"

BLOCK = re.compile(
    r"^(?P<mark><!-- runs -->\n)?```bash\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?", re.M | re.S
)
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
CODE = re.compile(rf"{FENCED.pattern}|`[^`\n]*`", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)


@dataclass(frozen=True)
class Block:
    """A piece of bash on a page. ``runs`` says that it is marked, ``shown`` are the lines that it is said to show."""

    page: str
    number: int
    code: str
    shown: tuple[str, ...]
    runs: bool

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"

    def missing_in(self, told: str) -> str:
        """The first line of ``shown`` that ``told`` lacks, or has only before the one in front of it; "" for none."""
        lines = iter(" ".join(line.split()) for line in told.splitlines())
        for wanted in self.shown:
            pattern = ".*".join(re.escape(" ".join(each.split())) for each in wanted.split("..."))
            loose = pattern.replace(r"\ .*", ".*").replace(r".*\ ", ".*")
            if not any(re.fullmatch(loose, line) for line in lines):
                return wanted
        return ""


def blocks(page: str) -> Iterator[Block]:
    """The blocks of bash in ``docs/<page>.md``."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for number, found in enumerate(BLOCK.finditer(text), 1):
        shown = tuple(line for line in (found["shown"] or "").splitlines() if line.strip() not in ("", "..."))
        yield Block(page, number, found["code"], shown, bool(found["mark"]))


def links(file: Path) -> set[str]:
    """Where the links of a page lead to, but for those to other sites."""
    prose = CODE.sub("", file.read_text(encoding="utf-8"))
    return {link for link in LINK.findall(prose) if not re.match(r"[a-z]+:", link)}


def anchors(file: Path) -> set[str]:
    """What a link to a place in the page may name, by the rules of GitHub."""
    headings = HEADING.findall(FENCED.sub("", file.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
