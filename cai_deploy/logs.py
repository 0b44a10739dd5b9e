"""What nodes have written, as lines: the last ones, those since a time, and what comes. It knows no place.

A node's own log grows; it is moved aside when it has become long and its node starts again. The ends of Ray's logs
stand in one file for each node, which is written anew each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath

from cai_deploy import layout
from cai_deploy.errors import ConfigError
from cai_deploy.places.base import NodeLogs

LOOK_BACK = 1_000_000
"""Bytes of a log that are read when only its end is wanted."""

SECTION = "--- "
"""How one of Ray's logs begins within the file of a node's."""

STAMP = re.compile(r"\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)")
SPAN = re.compile(r"(\d+)([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
SAME = 3
"""Lines in a row by which the place is found up to which a log is known."""


def moment(text: str, now: datetime) -> datetime:
    """``10m`` before ``now``, or a time in ISO 8601, in UTC if it does not say. Raises ConfigError."""
    if span := SPAN.fullmatch(text):
        return now - timedelta(**{UNITS[span[2]]: int(span[1])})
    try:
        given = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ConfigError(
            f"{text!r} is neither a time nor a span of time", next_step="for example 10m, 2h, 2026-11-21T09:00"
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=timezone.utc)


def file_of(node: str, *, ray: bool) -> str:
    """The file in which a node's log stands, or the ends of its Ray's."""
    path = layout.ray_log_file("", node) if ray else layout.node_log_file("", node)
    return PurePosixPath(path).name


def nodes_of(sizes: Mapping[str, int]) -> list[str]:
    """Every node that has written, whether or not it is still there."""
    stems = (name.removesuffix(".log") for name in sizes if name.endswith(".log"))
    return sorted({stem.partition(".")[0] for stem in stems})


def last_lines(logs: NodeLogs, sizes: Mapping[str, int], node: str, *, count: int) -> tuple[list[str], int]:
    """The last ``count`` lines of a node's log, and the byte after them."""
    file = file_of(node, ray=False)
    start = max(sizes.get(file, 0) - LOOK_BACK, 0)
    lines, end = logs.read(file, start)
    lines = lines[1:] if start else lines  # the first of them may have begun earlier
    if len(lines) < count and (older := _older(node)) in sizes:
        lines = logs.read(older)[0] + lines
    return lines[-count:], end


def lines_since(logs: NodeLogs, sizes: Mapping[str, int], node: str, when: datetime) -> tuple[list[str], int]:
    """The lines of a node's log that were written at ``when`` or later, and the byte after them."""
    lines, end = logs.read(file_of(node, ray=False))
    if (older := _older(node)) in sizes and not any((time_of(line) or when) < when for line in lines[:SAME]):
        lines = logs.read(older)[0] + lines
    return since(lines, when), end


def ray_lines(logs: NodeLogs, sizes: Mapping[str, int], node: str) -> list[str]:
    """The ends of Ray's logs of a node: of the Ray that runs, or else of the one that ended last."""
    ended = PurePosixPath(layout.ended_ray_log_file("", node)).name
    return next((logs.read(file)[0] for file in (file_of(node, ray=True), ended) if file in sizes), [])


def since(lines: Sequence[str], when: datetime) -> list[str]:
    """Those written at ``when`` or later; a line without a time belongs to the one before it, or to its section."""
    kept: list[str] = []
    heading, late = "", False
    for line in lines:
        if line.startswith(SECTION):
            heading, late = line, False
            continue
        time = time_of(line)
        late = late if time is None else time >= when
        if late:
            kept += [heading, line] if heading else [line]
            heading = ""
    return kept


def time_of(line: str) -> datetime | None:
    """When a line was written, if it says so at its beginning; nodes write in UTC."""
    stamp = STAMP.match(line)
    try:
        return datetime.fromisoformat(f"{stamp[1]}T{stamp[2]}+00:00") if stamp else None
    except ValueError:
        return None


class Follower:
    """What comes in the logs of some nodes, after what is known of them.

    ``ends`` are the bytes up to which each node's log is known.
    """

    def __init__(self, logs: NodeLogs, ends: Mapping[str, int]) -> None:
        self._logs = logs
        self._ends = dict(ends)

    def news(self, sizes: Mapping[str, int], nodes: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
        """What each node wrote since the last time. A log that is shorter than it was has begun anew."""
        for node in nodes:
            size, end = sizes.get(file_of(node, ray=False), 0), self._ends.get(node, 0)
            if size == end:
                continue
            lines, self._ends[node] = self._logs.read(file_of(node, ray=False), end if size > end else 0)
            if lines:
                yield node, lines


class RayFollower:
    """The same of the ends of Ray's logs, of which the ``known`` lines were shown."""

    def __init__(self, logs: NodeLogs, known: Mapping[str, Sequence[str]]) -> None:
        self._logs = logs
        self._known = {node: sections(lines) for node, lines in known.items()}
        self._sizes: dict[str, int] = {}

    def news(self, sizes: Mapping[str, int], nodes: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
        """What came into each of the logs since the last time."""
        for node in nodes:
            size = sizes.get(file_of(node, ray=True))
            if size is None or size == self._sizes.get(node):
                continue
            self._sizes[node] = size
            found, known = sections(self._logs.read(file_of(node, ray=True))[0]), self._known.get(node, {})
            new = {name: beyond(known.get(name, []), lines) for name, lines in found.items()}
            self._known[node] = found
            told = [line for name, lines in new.items() if lines for line in ([name, *lines] if name else lines)]
            if told:
                yield node, told


def sections(lines: Sequence[str]) -> dict[str, list[str]]:
    """The lines of each log in a file of several, by its heading."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line.startswith(SECTION):
            name = line
        else:
            found.setdefault(name, []).append(line)
    return found


def beyond(known: Sequence[str], lines: Sequence[str]) -> list[str]:
    """Those of ``lines`` that come after the end of what is ``known``; all of them where that is not among them."""
    tail = list(known[-SAME:])
    ends = range(len(lines), len(tail) - 1, -1) if tail else ()
    place = next((end for end in ends if list(lines[end - len(tail) : end]) == tail), 0)
    return list(lines[place:])


def _older(node: str) -> str:
    return f"{node}.old.log"
