"""Logs as lines: the last ones, those since a time, and those that come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.logs import (
    LOOK_BACK,
    Follower,
    RayFollower,
    beyond,
    last_lines,
    lines_since,
    moment,
    nodes_of,
    ray_lines,
    since,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)


@dataclass
class Written:
    """The files of a cluster's nodes, in memory, and from where they were read."""

    texts: dict[str, str] = field(default_factory=dict)
    reads: list[tuple[str, int]] = field(default_factory=list)
    kept: bool = False

    def sizes(self) -> Mapping[str, int]:
        return {name: len(text.encode()) for name, text in self.texts.items()}

    def read(self, file: str, start: int = 0) -> tuple[list[str], int]:
        self.reads.append((file, start))
        content = self.texts.get(file, "").encode()[start:]
        whole = content[: content.rfind(b"\n") + 1]
        return whole.decode().split("\n")[:-1], start + len(whole)

    def now(self) -> datetime:
        return NOW


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", "2026-11-21T11:50:00+00:00"),
        ("90s", "2026-11-21T11:58:30+00:00"),
        ("2h", "2026-11-21T10:00:00+00:00"),
        ("1d", "2026-11-20T12:00:00+00:00"),
        ("2026-11-21T09:30", "2026-11-21T09:30:00+00:00"),
        ("2026-11-21T09:30:00Z", "2026-11-21T09:30:00+00:00"),
        ("2026-11-21T09:30:00+02:00", "2026-11-21T07:30:00+00:00"),
    ],
)
def test_a_time_or_a_span(text: str, expected: str) -> None:
    assert moment(text, NOW) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("text", ["yesterday", "10", "m", "-5m", "10 m", ""])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(ConfigError, match="neither a time nor a span"):
        moment(text, NOW)


def test_since_keeps_a_line_with_the_one_it_belongs_to_and_a_heading_with_what_is_below() -> None:
    lines = [
        "--- gcs_server.out",
        "[2026-11-21 11:00:00,123 I 1 1] old",
        "--- raylet.out",
        "[2026-11-21 11:00:00,123 I 1 1] old",
        "[2026-11-21 11:58:00,123 I 1 1] new",
        "    and its stack",
        "--- dashboard.log",
        "without a time",
        "2026-11-21 11:59:00,456\tINFO new as well",
    ]
    assert since(lines, moment("10m", NOW)) == [
        "--- raylet.out",
        "[2026-11-21 11:58:00,123 I 1 1] new",
        "    and its stack",
        "--- dashboard.log",
        "2026-11-21 11:59:00,456\tINFO new as well",
    ]
    assert since(["2026-99-99T11:00:00Z is no time"], NOW) == []


def test_the_last_lines_reach_into_the_log_that_was_moved_aside() -> None:
    logs = Written({"head.log": "c\nd\n", "head.old.log": "a\nb\n"})
    assert last_lines(logs, logs.sizes(), "head", count=3) == (["b", "c", "d"], 4)
    logs.reads.clear()
    assert last_lines(logs, logs.sizes(), "head", count=1) == (["d"], 4)
    assert logs.reads == [("head.log", 0)]


def test_of_a_long_log_only_the_end_is_read() -> None:
    logs = Written({"head.log": "x" * 99 + "\n" + "y\n" * LOOK_BACK})
    lines, end = last_lines(logs, logs.sizes(), "head", count=2)
    assert (lines, end) == (["y", "y"], 100 + 2 * LOOK_BACK)
    assert logs.reads == [("head.log", 100 + LOOK_BACK)]


def test_since_reaches_into_the_log_that_was_moved_aside_when_that_may_hold_some() -> None:
    logs = Written({"head.log": "2026-11-21T11:55:00Z b\n", "head.old.log": "2026-11-21T11:54:00Z a\n"})
    lines, _ = lines_since(logs, logs.sizes(), "head", moment("10m", NOW))
    assert [line[-1] for line in lines] == ["a", "b"]
    logs = Written({"head.log": "2026-11-21T11:00:00Z a\n2026-11-21T11:55:00Z b\n", "head.old.log": "x\n"})
    lines, _ = lines_since(logs, logs.sizes(), "head", moment("10m", NOW))
    assert ([line[-1] for line in lines], len(logs.reads)) == (["b"], 1)


def test_rays_logs_are_those_that_run_or_else_those_that_ended() -> None:
    logs = Written({"head.ray.log": "now\n", "head.ray-ended.log": "before\n", "worker-0.ray-ended.log": "before\n"})
    assert [ray_lines(logs, logs.sizes(), node) for node in ("head", "worker-0", "worker-1")] == [
        ["now"],
        ["before"],
        [],
    ]


def test_every_node_that_ever_wrote() -> None:
    names = ("head.log", "head.ray.log", "worker-0.log", "worker-0.old.log", "gpu-1.ray-ended.log", ".head.ray.log.77")
    assert nodes_of(dict.fromkeys(names, 1)) == ["gpu-1", "head", "worker-0"]


def test_following_reads_only_what_is_new_and_only_whole_lines() -> None:
    logs = Written({"head.log": "a\n", "worker-0.log": "b\n"})
    follower = Follower(logs, {"head": 2, "worker-0": 2})
    nodes = ["head", "worker-0", "worker-1"]
    assert list(follower.news(logs.sizes(), nodes)) == []
    assert logs.reads == []
    logs.texts["head.log"] += "c\nd"
    assert list(follower.news(logs.sizes(), nodes)) == [("head", ["c"])]
    assert list(follower.news(logs.sizes(), nodes)) == []
    logs.texts["head.log"] += "e\n"
    assert list(follower.news(logs.sizes(), nodes)) == [("head", ["de"])]
    assert {start for _, start in logs.reads} == {2, 4}
    logs.texts["worker-1.log"] = "late\n"
    assert list(follower.news(logs.sizes(), nodes)) == [("worker-1", ["late"])]


def test_a_log_that_begins_anew_is_followed_from_its_beginning() -> None:
    logs = Written({"head.log": "a long first life\n"})
    follower = Follower(logs, {"head": 18})
    logs.texts["head.log"] = "again\n"
    assert list(follower.news(logs.sizes(), ["head"])) == [("head", ["again"])]
    del logs.texts["head.log"]
    assert list(follower.news(logs.sizes(), ["head"])) == []


def test_following_rays_logs_tells_what_came_into_each() -> None:
    logs = Written({"head.ray.log": "--- raylet.out\na\nb\nc\nd\n"})
    follower = RayFollower(logs, {"head": logs.texts["head.ray.log"].splitlines()})
    assert list(follower.news(logs.sizes(), ["head", "worker-0"])) == []
    logs.texts["head.ray.log"] = "--- raylet.out\nb\nc\nd\nee\n\n--- new.log\nx\n"
    assert list(follower.news(logs.sizes(), ["head"])) == [("head", ["--- raylet.out", "ee", "", "--- new.log", "x"])]
    reads = len(logs.reads)
    assert list(follower.news(logs.sizes(), ["head"])) == []
    assert len(logs.reads) == reads


@pytest.mark.parametrize(
    ("known", "lines", "new"),
    [
        ([], ["a"], ["a"]),
        (["a", "b"], ["a", "b"], []),
        (["a", "b", "c", "d"], ["b", "c", "d", "e"], ["e"]),
        (["a", "a", "a"], ["a", "a", "a", "a"], []),
        (["a", "b", "c"], ["x", "y"], ["x", "y"]),
        (["z", "b", "c", "d"], ["c", "d", "e"], ["c", "d", "e"]),
    ],
)
def test_what_is_beyond_the_known(known: list[str], lines: list[str], new: list[str]) -> None:
    assert beyond(known, lines) == new
