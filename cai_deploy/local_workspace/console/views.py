"""How things are put for people: states, times, sizes, logs. Pure text, escaped by the templates."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

_TONES = {
    "good": {"running", "succeeded", "success"},
    "busy": {"starting", "stopping", "scheduling", "creating"},
    "bad": {"failed", "failure", "timedout"},
}
_SAID = {"success": "ready", "failure": "failed", "timedout": "timed out"}
_TERMINAL_CODE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
NOTHING = "–"  # noqa: RUF001 - a dash that is as long as it looks
LOG_TAIL = 128 << 10
FILE_HEAD = 256 << 10


def state_word(status: str) -> str:
    """``APPLICATION_RUNNING`` as a person says it."""
    word = _bare(status)
    return _SAID.get(word, word)


def tone(status: str) -> str:
    """good, busy, bad or idle: what colour a state has."""
    return next((name for name, states in _TONES.items() if _bare(status) in states), "idle")


def _bare(status: str) -> str:
    return status.removeprefix("APPLICATION_").removeprefix("ENGINE_").lower()


def ago(moment: str | None, now: datetime | None = None) -> str:
    """How long ago, roughly."""
    if not moment:
        return NOTHING
    seconds = _seconds(moment, now)
    return f"{span(seconds)} ago" if seconds >= 1 else "just now"


def lasted(begin: str | None, end: str | None, now: datetime | None = None) -> str:
    """How long something took, or takes so far."""
    if not begin:
        return NOTHING
    return span(_seconds(begin, now) - (_seconds(end, now) if end else 0.0))


def span(seconds: float) -> str:
    """A length of time with at most two units."""
    whole = max(0, int(seconds))
    for size, unit, smaller, small_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return (
                f"{whole // size} {unit} {rest} {small_unit}"
                if rest and whole < 10 * size
                else f"{whole // size} {unit}"
            )
    return f"{whole} s" if whole else "< 1 s"


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _seconds(moment: str, now: datetime | None) -> float:
    then = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return ((now or datetime.now(timezone.utc)) - then).total_seconds()


def log_from(path: Path, offset: int) -> dict[str, Any]:
    """What a log has grown by since ``offset``; from the start only its tail. A character cut in half waits."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            begin = offset if 0 < offset <= end else max(0, end - LOG_TAIL)
            file.seek(begin)
            data = file.read(LOG_TAIL)
    except FileNotFoundError:
        return {"text": "", "next": 0, "cut": False}
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data)
    pending = len(decoder.getstate()[0])
    cut = begin > 0 and begin != offset
    return {"text": _TERMINAL_CODE.sub("", text), "next": begin + len(data) - pending, "cut": cut}


def text_of(path: Path) -> tuple[str | None, bool]:
    """The head of a text file, and whether there is more; None for what is no text."""
    with path.open("rb") as file:
        data = file.read(FILE_HEAD + 1)
    if b"\0" in data:
        return None, False
    return data[:FILE_HEAD].decode(errors="replace"), len(data) > FILE_HEAD


def entries(directory: Path, most: int = 500) -> tuple[list[dict[str, Any]], int]:
    """A directory's entries, directories first, and how many were left out."""
    found = sorted(directory.iterdir(), key=lambda path: (not path.is_dir(), path.name.lower()))
    shown = [{"name": path.name, "is_dir": path.is_dir(), "size": size(path.lstat().st_size)} for path in found[:most]]
    return shown, len(found) - len(shown)


def crumbs(path: str) -> list[tuple[str, str]]:
    """(name, path up to there) for each part of a path."""
    parts = [part for part in path.split("/") if part]
    return [(part, "/".join(parts[: number + 1])) for number, part in enumerate(parts)]


def rule_said(rule: Mapping[str, Any]) -> str:
    """A rule's occasions in words."""
    words = []
    if "call" in rule:
        words.append(rule["call"])
    if rule["nth"]:
        words.append(f"only number {rule['nth']}")
    if rule["every"]:
        words.append(f"every {ordinal(rule['every'])}")
    if rule["probability"] < 1:
        words.append(f"{rule['probability']:.0%} of the time, seed {rule['seed']}")
    if rule["count"]:
        words.append(f"{rule['count']} at most")
    if rule["duration"] is not None:
        words.append(f"for {rule['duration']:g} s")
    if rule["delay"] is not None:
        words.append(f"after {rule['delay']:g} s")
    return ", ".join(words)
