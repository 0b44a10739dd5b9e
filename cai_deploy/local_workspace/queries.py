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
    """The page that ``query`` asks for and the token of the next one; ``keys`` may be filtered by."""
    found = filtered(items, value_of(query, "search_filter"), keys)
    found = _sorted(found, value_of(query, "sort"))
    size = _size(value_of(query, "page_size"))
    start = _start(value_of(query, "page_token"))
    following = start + size
    token = base64.urlsafe_b64encode(json.dumps({"from": following}).encode()).decode()
    return list(found[start:following]), token if following < len(found) else ""


def value_of(query: Mapping[str, str], name: str) -> str:
    """A query value in either spelling: ``page_size`` or ``pageSize``."""
    first, *others = name.split("_")
    return query.get(name) or query.get(first + "".join(map(str.title, others))) or ""


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean of the query; some clients write it as Python does."""
    text = value_of(query, name).lower()
    if text not in {"", "true", "false", "t", "f", "1", "0"}:
        raise rules.bad_request(f"Problem with field {name}: '{text}' is not a boolean")
    return text in {"true", "t", "1"}


def json_object(query: Mapping[str, str], name: str) -> dict[str, Any]:
    """A JSON object that is one query value; empty when it is not sent."""
    text = value_of(query, name)
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        field = "".join(map(str.title, name.split("_")))
        raise rules.bad_request(f"Problem with field {field}: a JSON object is expected")
    return found


def filtered(items: Sequence[Shown], text: str, keys: Collection[str]) -> Sequence[Shown]:
    """Those that a ``search_filter`` lets through; all of them, unread, when there is none."""
    wanted = json_object({"search_filter": text}, "search_filter")
    for key in wanted:
        if key not in keys:
            raise rules.bad_request(f"Problem with field SearchFilter: unknown key '{key}'")
    if not wanted:
        return items
    return [item for item in items if all(_matches(item, key, str(value)) for key, value in wanted.items())]


def compared(items: Sequence[Shown], text: str, keys: Collection[str]) -> list[Shown]:
    """Those that a filter with operators lets through: ``{"gpu_count": "gt:0"}``."""
    wanted = json_object({"search_filter": text}, "search_filter")
    for key, value in wanted.items():
        operator, colon, operand = str(value).partition(":")
        if key not in keys or not colon or operator not in _OPERATORS:
            raise rules.bad_request(f"Problem with field SearchFilter: '{key}' cannot be asked for '{value}'")
        try:
            items = [item for item in items if _OPERATORS[operator](_field(item, key), operand)]
        except ValueError:
            raise rules.bad_request(f"Problem with field SearchFilter: '{operand}' is not a number") from None
    return list(items)


def _equal(value: Any, operand: str) -> bool:
    return json.dumps(value) == operand.lower() or str(value) == operand


# An int64 that is not set is "0" here, and null to the service itself.
_OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    "isnull": lambda value, operand: (value in {None, "", "0"}) == (operand.lower() == "true"),
    "eq": _equal,
    "ne": lambda value, operand: not _equal(value, operand),
    "gt": lambda value, operand: float(value or 0) > float(operand),
    "gte": lambda value, operand: float(value or 0) >= float(operand),
    "lt": lambda value, operand: float(value or 0) < float(operand),
    "lte": lambda value, operand: float(value or 0) <= float(operand),
}


def _matches(item: Shown, key: str, wanted: str) -> bool:
    value = _field(item, key)
    if key == "status":
        return wanted in str(value).rpartition("_")[2].lower() or wanted in str(value)
    if isinstance(value, bool):
        return wanted.lower() in (("t", "true") if value else ("f", "false"))
    return wanted in str(value)


def _sorted(items: Sequence[Shown], text: str) -> Sequence[Shown]:
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
        start = json.loads(base64.urlsafe_b64decode(token))["from"]
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        start = None
    if not isinstance(start, int) or start < 0:
        raise rules.bad_request("Problem with field PageToken: not a token of this list")
    return start
