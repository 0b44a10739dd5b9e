"""What is told while things happen: each change once."""

from __future__ import annotations

import pytest

from cai_deploy.cli.progress import Story, waiting_line
from cai_deploy.state import Observation, Plan, Step


def wait(name: str, reason: str, phase: int = 0) -> Step:
    return Step("wait", "node", name, reason, phase)


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ([], ""),
        ([wait("head", "is starting")], "wait: head: is starting"),
        ([wait("a", "is starting"), wait("b", "is starting")], "wait: a, b: is starting"),
        ([wait("a", "is starting"), wait("b", "is stopping")], "wait: a: is starting; wait: b: is stopping"),
        ([wait(f"w{n}", "is starting") for n in range(6)], "wait: w0, w1, w2, w3 and 2 more: is starting"),
        ([wait("project", "is being cloned"), wait("head", "is starting", phase=4)], "wait: project: is being cloned"),
    ],
)
def test_who_is_waited_for(steps: list[Step], line: str) -> None:
    assert waiting_line(Plan(tuple(steps))) == line


def test_plain_lines_tell_a_change_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Story() as story:
        for steps in ([wait("a", "is starting")], [wait("a", "is starting")], [wait("a", "is stopping")]):
            story.looked(Plan(tuple(steps)), Observation())
        story.applying(Step("create", "node", "b", "does not exist", 0))
    told = [line.split("s  ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert told == ["wait: a: is starting", "wait: a: is stopping", "create node b: does not exist"]
