"""``python -m tools.reference``: write the pages that are made from code, and say which have changed."""

from __future__ import annotations

import sys

from tools.reference.pages import DOCS, PAGES


def main() -> None:
    """Write every page that differs from what stands there."""
    for name, make in PAGES.items():
        file, text = DOCS / name, make()
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {file.relative_to(DOCS.parent)}\n")


if __name__ == "__main__":
    main()
