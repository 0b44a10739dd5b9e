"""Lists: all pages of one, and the filter that narrows it.

It must not know what the entries are. Page tokens are opaque, the server's page size is its own choice, and a list that
never ends must not hang a deployment.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from cai_deploy.api.errors import EndlessList, UnreadableAnswer
from cai_deploy.api.transport import Transport

PAGE_SIZE = 1000
"""Entries to ask for at once: a page is a round trip, and no page can be asked for before the one in front of it.

Workspaces take any size. One that caps it answers with fewer entries and a token, which is followed like any other.
"""

MOST_PAGES = 1000


def entries(
    transport: Transport,
    path: str,
    key: str,
    params: Mapping[str, str] | None = None,
    *,
    page_size: int = PAGE_SIZE,
) -> Iterator[dict[str, Any]]:
    """Every entry of the list ``key`` at ``path``; pages are read as the entries are taken.

    A page without the list counts as an empty one. Raises ApiError, PlaceUnreachable, UnreadableAnswer, and
    EndlessList when a token comes twice or more than 1000 pages follow each other.
    """
    query = {**(params or {}), "page_size": str(page_size)}
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        page = transport.read(path, params=query)
        token, found = page.get("next_page_token"), deque(entries_of(page, key, path))
        del page
        while found:  # what has been taken is not kept: a thousand entries are much, and become objects meanwhile
            yield found.popleft()
        if not token:
            return
        if token in seen:
            raise EndlessList(path, "a page token came twice")
        seen.add(token)
        query["page_token"] = str(token)
    raise EndlessList(path, f"more than {MOST_PAGES} pages")


def entries_of(page: Mapping[str, Any], key: str, path: str) -> list[dict[str, Any]]:
    """The list ``key`` of one answer, [] when it is missing or null. Raises UnreadableAnswer when it is no list."""
    found = page.get(key) or []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise UnreadableAnswer(f"the list {path} cannot be read", why=f"its {key!r} is not a list of objects")
    return found


def named(name: str) -> dict[str, str]:
    """The query that narrows a list to ``name``.

    The server takes it for a piece of the name, so that whoever asks must still compare.
    """
    return {"search_filter": json.dumps({"name": name})}
