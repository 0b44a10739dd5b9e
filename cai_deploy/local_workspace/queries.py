"""How lists are narrowed, ordered and cut into pages. Pure: shown objects in, one page out.

Filters match by substring and with case, as the real service does, so that a client that takes the first hit for its
own fails here too. The page is small when no size is asked for, for the same reason.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from cai_deploy.local_workspace import rules

DEFAULT_PAGE_SIZE = 10
_USERS = ("email", "name", "username")
CREATOR_KEYS = frozenset(f"creator.{key}" for key in _USERS)
OWNER_KEYS = frozenset(f"owner.{key}" for key in _USERS)

Shown = Mapping[str, Any]


def page(query: Mapping[str, str], items: Sequence[Shown], keys: Collection[str]) -> tuple[list[Shown], str]:
    """The page that ``query`` asks for and the token of the next one; ``keys`` may be filtered and sorted by."""
    found = _filtered(items, query.get("search_filter", query.get("searchFilter", "")), keys)
    found = _sorted(found, query.get("sort", ""))
    size = _size(query.get("page_size", query.get("pageSize", "")))
    start = _start(query.get("page_token", query.get("pageToken", "")))
    following = start + size
    token = base64.urlsafe_b64encode(json.dumps({"from": following}).encode()).decode()
    return found[start:following], token if following < len(found) else ""


def _filtered(items: Sequence[Shown], text: str, keys: Collection[str]) -> list[Shown]:
    if not text:
        return list(items)
    try:
        wanted = json.loads(text)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise rules.bad_request("Problem with field SearchFilter: a JSON object is expected")
    for key in wanted:
        if key not in keys:
            raise rules.bad_request(f"Problem with field SearchFilter: unknown key '{key}'")
    return [item for item in items if all(_matches(item, key, str(value)) for key, value in wanted.items())]


def _matches(item: Shown, key: str, wanted: str) -> bool:
    value = _field(item, key)
    if key == "status":
        return wanted in str(value).rpartition("_")[2].lower() or wanted in str(value)
    if isinstance(value, bool):
        return wanted.lower() in (("t", "true") if value else ("f", "false"))
    return wanted in str(value)


def _sorted(items: list[Shown], text: str) -> list[Shown]:
    for part in reversed([part.strip() for part in text.split(",") if part.strip()]):
        key = part.lstrip("+-")
        items = sorted(items, key=_order(key), reverse=part.startswith("-"))
    return items


def _order(key: str) -> Callable[[Shown], tuple[int, float, str]]:
    def order(item: Shown) -> tuple[int, float, str]:
        value = _field(item, key)
        if isinstance(value, int | float):
            return (0, float(value), "")
        return (1, 0.0, "" if value is None else str(value))

    return order


def _field(item: Shown, key: str) -> Any:
    value: Any = item
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _size(text: str) -> int:
    if not text:
        return DEFAULT_PAGE_SIZE
    try:
        size = int(text)
    except ValueError:
        raise rules.bad_request(f"Problem with field PageSize: '{text}' is not a number") from None
    return size if size > 0 else DEFAULT_PAGE_SIZE


def _start(token: str) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["from"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise rules.bad_request("Problem with field PageToken: not a token of this list") from None
