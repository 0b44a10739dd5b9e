"""Reading a list to its end. The default page is smaller than real lists, so a single page is never enough."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cai_deploy.api.errors import UnexpectedAnswer
from cai_deploy.api.schemas import AnswerType
from cai_deploy.api.transport import Transport

PAGE_SIZE = 100
MOST_PAGES = 1000


def list_all(
    transport: Transport, path: str, key: str, kind: type[AnswerType], params: Mapping[str, str] | None = None
) -> list[AnswerType]:
    """Every item under ``key`` of every page at ``path``. Raises UnexpectedAnswer for a list without an end."""
    return [kind.model_validate(item) for item in _items(transport, path, key, dict(params or {}))]


def search_filter(**values: str) -> dict[str, str]:
    """The query for a filtered list. It matches substrings, so callers compare exactly afterwards."""
    return {"search_filter": json.dumps(values)}


def _items(transport: Transport, path: str, key: str, params: dict[str, str]) -> Iterator[Any]:
    seen: set[str] = set()
    query: dict[str, Any] = {**params, "page_size": PAGE_SIZE}
    while True:
        page = transport.read_json(path, params=query)
        yield from page.get(key) or []
        token = page.get("next_page_token") or ""
        if not token:
            return
        if token in seen or len(seen) >= MOST_PAGES:
            raise UnexpectedAnswer(
                f"the list at {path} has no end",
                status=200,
                code=None,
                message="a page token came twice" if token in seen else f"more than {MOST_PAGES} pages",
                request_id="",
            )
        seen.add(token)
        query["page_token"] = token
