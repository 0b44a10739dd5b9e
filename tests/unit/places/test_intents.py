"""The note of what is about to be created: there while the question is open, and not longer."""

from __future__ import annotations

import pytest

from cai_deploy.api.creation import answer_lost
from cai_deploy.api.errors import Conflict, ServerError
from cai_deploy.errors import DeployError, PlaceUnreachable
from cai_deploy.places.intents import noted, read
from cai_deploy.state import Step
from tests.unit.places.fake_files import FakeFiles, project_files

CREATES = [Step("create", "node", name, "does not exist", 0) for name in ("head", "worker-0")]


def end_with(error: BaseException | None) -> None:
    if error:
        raise error


def run(files: FakeFiles, steps: list[Step], error: BaseException | None = None) -> frozenset[str]:
    """What is noted after ``steps`` ended with ``error``."""
    try:
        with noted(project_files(files), "ray", steps, answer_lost):
            assert read(project_files(files), "ray") == {step.name for step in steps if step.action == "create"}
            end_with(error)
    except BaseException as raised:
        if raised is not error:
            raise
    return read(project_files(files), "ray")


def test_it_is_gone_once_every_answer_is_in() -> None:
    assert run(FakeFiles(), CREATES) == frozenset()


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (Conflict(409, "taken", method="POST", path="/a"), False),
        (DeployError("no quota"), False),
        (ServerError(500, "context deadline exceeded", method="POST", path="/a"), True),
        (KeyboardInterrupt(), True),
    ],
    ids=["refused", "refused by us", "the answer was lost", "we were interrupted"],
)
def test_it_stays_while_it_is_open_what_was_made(error: BaseException, stays: bool) -> None:
    assert run(FakeFiles(), CREATES, error) == (frozenset({"head", "worker-0"}) if stays else frozenset())


def test_a_broken_connection_leaves_it_open_too() -> None:
    broken = PlaceUnreachable("no answer")
    assert run(FakeFiles(), CREATES, broken) == {"head", "worker-0"}


def test_what_creates_nothing_notes_nothing() -> None:
    files = FakeFiles()
    run(files, [Step("stop", "node", "worker-0", "is no longer wanted", 0)])
    assert [call for call in files.calls if not call.startswith("read")] == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"nodes": 3}'])
def test_a_note_that_is_cut_off_says_nothing(text: str) -> None:
    files = FakeFiles()
    files.texts[".cai-deploy/clusters/ray/intents.json"] = text
    assert read(project_files(files), "ray") == frozenset()
