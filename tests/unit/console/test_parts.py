"""Words, sessions and gauges: without a workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from cai_deploy.local_workspace.console import sessions, views
from cai_deploy.local_workspace.console.actions import rule_of
from cai_deploy.local_workspace.console.sessions import Sessions, same_origin
from cai_deploy.local_workspace.console.usage import Gauge, Process, Usage, process_table
from cai_deploy.local_workspace.faults.rules import Kind, Rule, parse

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("status", "word", "tone"),
    [
        ("APPLICATION_RUNNING", "running", "good"),
        ("ENGINE_SUCCEEDED", "succeeded", "good"),
        ("success", "ready", "good"),
        ("ENGINE_SCHEDULING", "scheduling", "busy"),
        ("creating", "creating", "busy"),
        ("ENGINE_TIMEDOUT", "timed out", "bad"),
        ("failure", "failed", "bad"),
        ("APPLICATION_STOPPED", "stopped", "idle"),
        ("ENGINE_NEVER_HEARD_OF", "never_heard_of", "idle"),
    ],
)
def test_states(status: str, word: str, tone: str) -> None:
    assert (views.state_word(status), views.tone(status)) == (word, tone)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "< 1 s"),
        (0.4, "< 1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (9000, "2 h 30 min"),
        (86400 * 40, "40 d"),
        (601, "10 min"),
    ],
)
def test_spans(seconds: float, said: str) -> None:
    assert views.span(seconds) == said


def test_moments() -> None:
    assert views.ago(None) == views.lasted(None, None) == "–"  # noqa: RUF001
    assert views.ago("2026-01-01T11:58:00.000000Z", NOON) == "2 min ago"
    assert views.ago("2026-01-01T11:59:59.900000Z", NOON) == "just now"
    assert views.lasted("2026-01-01T11:00:00.000000Z", None, NOON) == "1 h"
    assert views.lasted("2026-01-01T11:00:00.000000Z", "2026-01-01T11:00:07.000000Z", NOON) == "7 s"


@pytest.mark.parametrize(("count", "said"), [(0, "0 B"), (1023, "1023 B"), (2048, "2 KB"), (3 << 30, "3.0 GB")])
def test_sizes(count: int, said: str) -> None:
    assert views.size(count) == said


@pytest.mark.parametrize(
    ("number", "said"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_ordinals(number: int, said: str) -> None:
    assert views.ordinal(number) == said


def test_a_log_grows_and_loses_no_character(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert views.log_from(log, 0) == {"text": "", "next": 0, "cut": False}
    whole = "\x1b[31mred\x1b[0m ä".encode()
    log.write_bytes(whole[:-1])
    first = views.log_from(log, 0)
    assert (first["text"], first["next"]) == ("red ", len(whole) - 2)
    log.write_bytes(whole)
    assert views.log_from(log, first["next"]) == {"text": "ä", "next": len(whole), "cut": False}
    log.write_bytes(b"anew")
    assert views.log_from(log, len(whole))["text"] == "anew", "a log that was emptied is read from its start"
    log.write_bytes(b"x" * (views.LOG_TAIL + 5))
    tail = views.log_from(log, 0)
    assert (len(tail["text"]), tail["cut"], tail["next"]) == (views.LOG_TAIL, True, views.LOG_TAIL + 5)


def test_the_occasions_of_a_rule_in_words() -> None:
    rule = Rule(Kind.CUT_OFF, nth=2, every=3, count=4, probability=0.25, seed=7, duration=10, delay=0.5)
    words = "only number 2, every 3rd, 25% of the time, seed 7, 4 at most, for 10 s, after 0.5 s"
    assert views.rule_said(rule.shown()) == words
    assert views.rule_said(Rule(Kind.DROP).shown()) == ""


def test_a_form_becomes_a_rule() -> None:
    form = {"csrf": "x", "kind": "drop", "method": "POST", "path": " ", "target": "left over", "count": "2", "nth": ""}
    assert parse(rule_of(form)) == Rule(Kind.DROP, method="POST", count=2)
    assert parse(rule_of({"kind": "pod_killed", "method": "*", "target": "a"})) == Rule(Kind.POD_KILLED, target="a")
    with pytest.raises(ValueError, match="count is a number"):
        rule_of({"kind": "drop", "count": "two"})


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("http://localhost:8001", "localhost:8000", False),
        ("http://evil.example", "localhost:8000", False),
        ("http://x.localhost:8000", "localhost:8000", False),
        ("null", "localhost:8000", False),
        (None, "localhost:8000", False),
        ("null", "", False),
    ],
)
def test_origins(origin: str | None, host: str, same: bool) -> None:
    assert same_origin(origin, host) is same


def test_sessions_end() -> None:
    now = [0.0]
    found = Sessions(lambda: now[0])
    token = found.open()
    session = found.find(token)
    assert session
    assert session.vouches_for(session.csrf)
    assert not session.vouches_for("")
    assert token != session.csrf
    assert found.find("another") is None
    now[0] += sessions.LIFETIME
    assert found.find(token) is None
    token = found.open()
    found.close(token)
    assert found.find(token) is None


def test_the_oldest_session_makes_room() -> None:
    found = Sessions()
    tokens = [found.open() for _ in range(sessions.MOST + 1)]
    assert found.find(tokens[0]) is None
    assert all(found.find(token) for token in tokens[1:])


def test_a_gauge_counts_children_and_only_what_was_used_since_the_last_look() -> None:
    hertz = os.sysconf("SC_CLK_TCK")
    clock = [100.0]
    ticks = [50 * hertz, 0]

    def table() -> Iterator[Process]:
        yield Process(1, 0, 999, 0, 7, "")
        yield Process(10, 1, ticks[0], 0, 1000, "app")
        yield Process(11, 10, ticks[1], 90 * hertz, 500, "")
        yield Process(12, 1, 0, 0, 30, "other")

    gauge = Gauge(table, lambda: clock[0])
    assert gauge.read() == {"app": Usage(0.5, 1500, 2), "other": Usage(0.0, 30, 1)}
    clock[0] += 2
    ticks[0] += hertz
    ticks[1] += 2 * hertz
    assert gauge.read()["app"] == Usage(1.5, 1500, 2)


def test_the_process_table_shows_a_marked_process() -> None:
    environment = {**os.environ, "CAI_WORKLOAD_ID": "marked-by-this-test"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as process:
        found = [each for each in process_table() if each.workload == "marked-by-this-test"]
        process.communicate(b"\n")
    assert [(each.pid, each.parent) for each in found] == [(process.pid, os.getpid())]
    assert found[0].memory > 1 << 20


def test_the_server_loads_no_page_before_the_first_visitor() -> None:
    late = {"jinja2", "cai_deploy.local_workspace.console.desk", "cai_deploy.local_workspace.console.pages"}
    code = f"import sys, cai_deploy.local_workspace.server; print(sorted({late} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
