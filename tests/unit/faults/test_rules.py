"""When a rule meets, when it happens, and what is no rule: tables, no workspace."""

from __future__ import annotations

from typing import Any

import pytest

from cai_deploy.local_workspace.faults import matching, rules
from cai_deploy.local_workspace.faults.matching import Call, Subject
from cai_deploy.local_workspace.faults.rules import Kind, Rule

CREATE = Call("POST", "/api/v2/projects/p1/applications", "/api/v2/projects/{project_id}/applications")


@pytest.mark.parametrize(
    ("rule", "meets"),
    [
        ({}, True),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"method": "P*"}, True),
        ({"path": "*/applications"}, True),
        ({"path": "*/applications/*"}, False),
        ({"path": "/api/v2/projects/p?/applications"}, True),
        ({"path": "/api/v2/projects/{project_id}/applications"}, True),
        ({"path": "/API/*"}, False),
    ],
)
def test_which_calls_a_rule_meets(rule: dict[str, Any], meets: bool) -> None:
    assert matching.meets_call(Rule(Kind.DROP, **rule), CREATE) is meets
    assert matching.meets_call(Rule(Kind.STUCK_STARTING, **rule), CREATE) is False


@pytest.mark.parametrize(
    ("target", "meets"),
    [("*", True), ("the-id", True), ("ray-worker-?", True), ("ray*", True), ("worker", False), ("Ray*", False)],
)
def test_which_things_a_rule_meets(target: str, meets: bool) -> None:
    subject = Subject("the-id", ("ray-worker-1", "ray-worker-1-x7"))
    assert matching.meets_subject(Rule(Kind.STUCK_STARTING, target=target), subject) is meets
    assert matching.meets_subject(Rule(Kind.DROP), subject) is False


@pytest.mark.parametrize(
    ("rule", "occasions"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"nth": 3}, [3]),
        ({"every": 2}, [2, 4, 6]),
        ({"count": 2}, [1, 2]),
        ({"every": 2, "count": 2}, [2, 4]),
        ({"nth": 9}, []),
        ({"probability": 0.0}, []),
    ],
)
def test_on_which_occasions_it_happens(rule: dict[str, Any], occasions: list[int]) -> None:
    happened: list[int] = []
    for occasion in range(1, 7):
        if matching.happens(Rule(Kind.DROP, **rule), occasion, len(happened)):
            happened.append(occasion)
    assert happened == occasions


def test_dice_fall_the_same_each_time_and_otherwise_with_another_seed() -> None:
    def fallen(seed: int) -> list[int]:
        rule = Rule(Kind.DROP, probability=0.3, seed=seed)
        return [occasion for occasion in range(1, 1001) if matching.happens(rule, occasion, 0)]

    assert fallen(7) == fallen(7) != fallen(8)
    assert 250 < len(fallen(7)) < 350
    assert fallen(7)[:5] == [2, 7, 16, 19, 23], "the same on every machine"


@pytest.mark.parametrize(("duration", "age", "stands"), [(None, 1e9, True), (5.0, 4.9, True), (5.0, 5.0, False)])
def test_how_long_a_rule_stands(duration: float | None, age: float, stands: bool) -> None:
    assert matching.stands(Rule(Kind.DROP, duration=duration), age) is stands


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "kind is one of error_before, "),
        ({"kind": "eror_after"}, "kind is one of"),
        ({"kind": "drop", "pth": "*"}, "unknown: pth"),
        ({"kind": "drop", "id": "mine"}, "unknown: id"),
        ({"kind": "drop", "target": "x"}, "drop has no target"),
        ({"kind": "pod_killed", "path": "*"}, "pod_killed has no path"),
        ({"kind": "drop", "nth": 0}, "nth is an integer of at least 1"),
        ({"kind": "drop", "nth": 1.5}, "nth is an integer"),
        ({"kind": "drop", "count": True}, "count is an integer"),
        ({"kind": "drop", "probability": 1.1}, "probability is between 0 and 1"),
        ({"kind": "drop", "delay": "soon"}, "delay is a number of at least 0"),
        ({"kind": "drop", "delay": float("nan")}, "delay is a number of at least 0"),
        ({"kind": "drop", "method": 7}, "method is a text"),
        ({"kind": "drop", "path": ""}, "path is a text"),
    ],
)
def test_what_is_no_rule(body: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        rules.parse(body)


def test_a_rule_is_read_and_shown() -> None:
    rule = rules.parse({"kind": "cut_off", "method": "POST", "every": 2, "delay": 1, "duration": None})
    assert rule == Rule(Kind.CUT_OFF, method="POST", every=2, delay=1.0)
    shown = rule.named("fault-1").shown()
    assert (shown["kind"], shown["every"], shown["id"]) == ("cut_off", 2, "fault-1")
    assert rules.parse({name: value for name, value in shown.items() if name not in ("id", "target")}) == rule
    assert rules.parse({"kind": "cut_off"}).seconds == 30.0
    assert rules.parse({"kind": "cut_off", "delay": 0}).seconds == 0.0


def test_every_kind_is_explained() -> None:
    assert set(rules.SAID) == set(Kind)
