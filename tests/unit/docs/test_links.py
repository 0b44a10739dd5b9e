"""Links between pages, and from pages to files, lead somewhere; the map of the pages has all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import DOCS, REPOSITORY, anchors, links

AT_THE_TOP = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "changes/README.md")]
ALL = [*AT_THE_TOP, *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [each for link in sorted(links(page)) if (each := wrong_with(page, link))] == []


def wrong_with(page: Path, link: str) -> str:
    path, _, place = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"{link}: there is no such file"
    if place and place not in anchors(target):
        return f"{link}: there is no such heading"
    return ""


def test_the_map_has_every_page() -> None:
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in links(DOCS / "index.md")}
    assert [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if page not in listed] == ["index.md"]


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One, two!\n[a](page.md#one-two) [b](#three) [c](gone.md) [d](https://example.com/x)\n")
    wrong = [wrong_with(page, link) for link in sorted(links(page))]
    assert wrong == ["#three: there is no such heading", "gone.md: there is no such file", ""]
