"""The record of a sleep, and in which order what goes does so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, cast

import pytest

from cai_deploy import layout
from cai_deploy.api.application_http import ApplicationHttp, ApplicationNotAnswering
from cai_deploy.api.client import Client
from cai_deploy.config import parse
from cai_deploy.hibernation import Activity, Asleep, Pulse
from cai_deploy.places.cai import CaiPlace, sleep
from cai_deploy.places.cai.apply import apply
from cai_deploy.places.cai.build import Site, build
from cai_deploy.places.cai.texts import Texts
from cai_deploy.spec import ClusterSpec
from cai_deploy.state import Node, NodeState, Step, WantedGround
from tests.unit.places.fake_jobs import FakeWorkspace
from tests.unit.places.test_cai_build import PROJECT, SEEN

SPEC = parse("watchdog: {schedule: '0 * * * *'}")


def carry_out(workspace: FakeWorkspace, action: Any, want: WantedGround) -> None:
    step = Step(action, want.kind, want.name, "", 0, request=want.request)
    apply(cast(Client, workspace), step, PROJECT)


def grounds(spec: ClusterSpec, **seen: Any) -> list[tuple[str, bool]]:
    return [(want.kind, want.gone) for want in build(spec, replace(SEEN, **seen), SITE).ground]


SITE = Site("https://ml.example.com", "https://example.com/a.git")
NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
ASLEEP = Asleep(NOON, "it was idle")


@pytest.mark.parametrize(
    ("spec", "seen", "last"),
    [
        (ClusterSpec(), {}, [("specification", False)]),
        (ClusterSpec(), {"applied_spec": ClusterSpec()}, [("specification", False)]),
        (SPEC, {}, [("specification", False), ("job", False)]),
        (SPEC, {"applied_spec": SPEC}, [("specification", False), ("job", False)]),
        (ClusterSpec(), {"applied_spec": SPEC}, [("job", True), ("specification", False)]),
        (SPEC, {"asleep": ASLEEP}, [("sleep", True), ("specification", False), ("job", False)]),
    ],
)
def test_what_goes_goes_before_the_specification_that_tells_of_it(
    spec: ClusterSpec, seen: dict[str, Any], last: list[tuple[str, bool]]
) -> None:
    assert grounds(spec, **seen)[5:] == last


def place_of(workspace: FakeWorkspace) -> CaiPlace:
    door = ApplicationHttp("https://ml.example.com", "key")
    return CaiPlace(cast(Client, workspace), door, SITE, project_id=PROJECT, say=print)


def test_the_record_of_a_sleep_is_written_read_and_removed() -> None:
    workspace = FakeWorkspace(now=NOON.timestamp())
    want = sleep.begins("ray", PROJECT, ASLEEP)
    carry_out(workspace, "create", want)
    texts = Texts(cast(Any, workspace.files), cast(Any, None))
    assert sleep.read(texts, PROJECT, "ray") == ASLEEP
    carry_out(workspace, "stop", sleep.over("ray", PROJECT))
    texts.forget(layout.asleep_file("ray"))
    assert sleep.read(texts, PROJECT, "ray") is None
    assert workspace.files.texts == {}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"since": "yesterday", "why": "x"}', '{"since": "2026-11-21T12:00:00Z"}']
)
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    workspace = FakeWorkspace(now=NOON.timestamp())
    workspace.files.texts[layout.asleep_file("ray")] = text
    assert sleep.read(Texts(cast(Any, workspace.files), cast(Any, None)), PROJECT, "ray") is None


class Door:
    """A head that says ``told``, or does not answer."""

    def __init__(self, told: dict[str, Any] | None) -> None:
        self.told = told

    def get_json(self, subdomain: str, path: str) -> dict[str, Any]:
        assert path == "/cai-deploy/activity"
        if self.told is None:
            raise ApplicationNotAnswering(f"{subdomain} does not answer")
        return self.told


@pytest.mark.parametrize(
    ("told", "activity"),
    [
        (None, None),
        ({}, None),
        ({"busy": [], "idle_since": "yesterday", "now": NOON.isoformat()}, None),
        ({"busy": 3, "idle_since": None, "now": NOON.isoformat()}, None),
        ({"busy": ["job a"], "idle_since": None, "now": NOON.isoformat()}, Activity(NOON, ("job a",))),
        ({"busy": [], "idle_since": NOON.isoformat(), "now": NOON.isoformat()}, Activity(NOON, (), NOON)),
    ],
)
def test_an_answer_that_cannot_be_understood_is_none(told: dict[str, Any] | None, activity: Activity | None) -> None:
    assert sleep.activity(cast(Any, Door(told)), "ray-head") == activity


def test_a_pulse_has_the_workspaces_time_and_asks_a_head_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of(FakeWorkspace(now=NOON.timestamp()))
    place._door = cast(Any, Door({"busy": ["job a"], "idle_since": None, "now": NOON.isoformat()}))
    head = Node("head", "head", "head", NodeState.RUNNING, "1", "f")
    seen = replace(SEEN, applied_spec=SPEC, oldest=NOON, newest=NOON, nodes=(head,))
    assert place.pulse(SPEC, seen) == Pulse(NOON, SPEC, None, Activity(NOON, ("job a",)), NOON, NOON)
    assert place.pulse(SPEC, replace(seen, nodes=(replace(head, state=NodeState.STOPPED),))).activity is None
