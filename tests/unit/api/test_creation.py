"""Nothing is created twice, even when the answer gets lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from cai_deploy.api.creation import WAITS
from cai_deploy.api.errors import BadRequest, Conflict, RateLimited, ServerError
from cai_deploy.api.patience import LONGEST_REFUSAL
from cai_deploy.api.schemas import CreateApplicationRequest, CreateJobRequest, CreateJobRunRequest, CreateProjectRequest
from cai_deploy.errors import PlaceUnreachable


class Workspace:
    """Keeps what is created under one list, and answers creates as it is told: True is an answer, else a fault."""

    def __init__(self, server, url: str, key: str, there: tuple[dict[str, Any], ...] = ()) -> None:
        self.there = list(there)
        self.answers: list[tuple[bool, Any]] = []
        self.url = url
        self.server = server
        server.add_callback("GET", url, lambda request: (200, {}, _json({key: self.there})))
        server.add_callback("POST", url, self._create)

    def will(self, *, work: bool, answer: Any) -> None:
        self.answers.append((work, answer))

    def posts(self) -> int:
        return sum(call.request.method == "POST" for call in self.server.calls)

    def _create(self, request):
        work, answer = self.answers.pop(0)
        made = {**json.loads(request.body), "id": f"made-{self.posts()}"}
        if work:
            self.there.insert(0, made)
        if isinstance(answer, Exception):
            raise answer
        return (answer, {}, _json(made) if answer == 200 else "{}")


def _json(value: Any) -> str:
    return json.dumps(value)


CREATES = {
    "project": ("projects", "projects", lambda client: client.projects.create(CreateProjectRequest(name="n"))),
    "job": (
        "projects/p/jobs",
        "jobs",
        lambda client: client.jobs.create(CreateJobRequest(project_id="p", name="n", script="s.py")),
    ),
    "run": (
        "projects/p/jobs/j/runs",
        "job_runs",
        lambda client: client.jobs.create_run("p", "j", CreateJobRunRequest(arguments="--x")),
    ),
    "application": (
        "projects/p/applications",
        "applications",
        lambda client: client.applications.create(
            CreateApplicationRequest(project_id="p", name="n", subdomain="sub", script="s.py")
        ),
    ),
}
DECOYS = {
    "project": {"id": "decoy", "name": "n-old"},
    "job": {"id": "decoy", "name": "n", "script": "other.py"},
    "run": {"id": "decoy", "arguments": "--x"},
    "application": {"id": "decoy", "name": "n", "subdomain": "other"},
}


@pytest.fixture(params=sorted(CREATES))
def kind(request) -> str:
    return request.param


@pytest.fixture
def workspace(server, api, kind) -> Workspace:
    path, key, _ = CREATES[kind]
    return Workspace(server, f"{api}/{path}", key, (DECOYS[kind],))


@pytest.fixture
def create(client, kind):
    return lambda: CREATES[kind][2](client)


def test_an_answer_is_taken_as_it_is(workspace, create, waits):
    workspace.will(work=True, answer=200)
    assert create().id == "made-0"
    assert waits == []


@pytest.mark.parametrize("fault", [500, 503, 408, requests.ReadTimeout("late"), requests.ConnectionError("broken")])
def test_work_whose_answer_got_lost_is_found_and_not_done_again(workspace, create, fault):
    workspace.will(work=True, answer=fault)
    assert create().id == "made-0"
    assert workspace.posts() == 1


def test_what_is_not_there_is_sent_again(workspace, create, waits):
    workspace.will(work=False, answer=500)
    workspace.will(work=True, answer=200)
    assert create().id == "made-1"
    assert waits == [WAITS[0]]


def test_it_is_sent_three_times_at_the_most(workspace, create):
    for _ in range(4):
        workspace.will(work=False, answer=502)
    with pytest.raises(ServerError):
        create()
    assert workspace.posts() == 3


@pytest.mark.parametrize(("status", "error"), [(400, BadRequest), (409, Conflict)])
def test_a_no_is_final(workspace, create, status, error):
    workspace.will(work=False, answer=status)
    with pytest.raises(error):
        create()
    assert workspace.posts() == 1


def test_a_workspace_that_asks_for_patience_gets_it_and_nothing_is_looked_for(workspace, create, waits, server):
    for _ in range(5):
        workspace.will(work=False, answer=429)
    workspace.will(work=True, answer=200)
    assert create().id == "made-5"
    assert len(waits) == 5
    assert not any("search_filter" in call.request.url for call in server.calls)


def test_patience_ends_as_well(workspace, create, waits):
    for _ in range(100):
        workspace.will(work=False, answer=429)
    with pytest.raises(RateLimited):
        create()
    assert LONGEST_REFUSAL <= sum(waits) < LONGEST_REFUSAL + 10


@pytest.mark.parametrize("answer", [409, 429])
def test_what_has_become_of_a_lost_request_stays_open_when_the_next_one_is_refused(workspace, create, answer):
    workspace.will(work=False, answer=500)
    for _ in range(100):
        workspace.will(work=False, answer=answer)
    with pytest.raises(ServerError):
        create()


def test_work_that_ends_late_answers_the_second_attempt_with_a_conflict(server, api, client):
    workspace = Workspace(server, f"{api}/projects", "projects")
    workspace.will(work=False, answer=500)
    workspace.will(work=True, answer=409)
    assert client.projects.create(CreateProjectRequest(name="n")).id == "made-1"
    assert workspace.posts() == 2


def test_a_look_that_fails_is_not_taken_for_nothing_there(server, api, client):
    server.post(f"{api}/projects", status=500)
    server.get(f"{api}/projects", body=requests.ConnectionError("down"))
    with pytest.raises(PlaceUnreachable):
        client.projects.create(CreateProjectRequest(name="n"))
    assert sum(call.request.method == "POST" for call in server.calls) == 1
