"""The body of a request to the head: JSON from anybody, read field by field. It knows no HTTP but its statuses."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any


class Refused(Exception):
    """The request gets no answer but this ``status`` and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Body:
    """The fields of one request. What is not as it must be raises Refused with BAD_REQUEST; other fields may stand."""

    def __init__(self, data: Any) -> None:
        if not isinstance(data, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
        self._data = data

    def text(self, name: str, default: str | None = None) -> str:
        """A text, which may be empty only by default."""
        value = self._data.get(name, default)
        if not isinstance(value, str) or (not value and value != default):
            raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a text that is not empty")
        return value

    def number(self, name: str, default: float, most: float) -> float:
        """A number from 0 to ``most``."""
        value = self._data.get(name, default)
        # Python calls true a number, and JSON's NaN is none.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a number from 0 to {most:.0f}")
        return float(value)

    def texts(self, name: str, most: int) -> list[str]:
        """A list of at most ``most`` texts."""
        value = self._data.get(name)
        if not isinstance(value, list) or len(value) > most or not all(isinstance(item, str) for item in value):
            raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a list of at most {most} texts")
        return value

    def ports(self, name: str, most: int, lowest: int) -> list[int]:
        """A list of at most ``most`` different port numbers from ``lowest`` on."""
        value = self._data.get(name)
        # Python calls true a number.
        fits = isinstance(value, list) and all(type(item) is int and lowest <= item <= 65535 for item in value)
        if not isinstance(value, list) or not fits or not 0 < len(set(value)) == len(value) <= most:
            raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a list of 1 to {most} port numbers from {lowest} on")
        return value
