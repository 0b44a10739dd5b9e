"""What a head tells of its cluster, and heads that tell nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from cai_deploy.access import Access
from cai_deploy.overview import Event, Head, JobFacts, Member, Share, parse
from cai_deploy.places.base import HeadRefuses, HeadSilent, NoHead

URL = "https://ray-head.example.com"
ACCESS = Access(URL, {"Authorization": "Bearer key", "X-Ray-Authorization": "Bearer token"})

TOLD: dict[str, Any] = {
    "cluster": "ray",
    "answers": True,
    "epoch": 3,
    "ray_version": "2.60.0",
    "url": URL,
    "now": "2026-11-21T12:00:00+00:00",
    "nodes": [
        {
            "name": "head",
            "state": "ALIVE",
            "address": "10.0.0.2",
            "group": "head",
            "since": "2026-11-21T11:00:00+00:00",
            "cpu": {"total": 4.0, "used": 1.0},
            "memory": {"total": 8.0, "used": None},
            "gpu": {"total": 0.0, "used": 0.0},
        }
    ],
    "jobs": [{"id": "raysubmit_1", "status": "RUNNING", "entrypoint": "python x.py", "started_at": None}],
    "events": [{"at": "2026-11-21T11:00:00+00:00", "kind": "joined", "node": "worker-0", "text": "worker-0 joined"}],
    "serve": {"/": "app"},
}


@pytest.fixture
def server() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def test_what_is_told_is_read() -> None:
    seen = parse(TOLD)
    assert seen.nodes == (
        Member(
            "head", "ALIVE", "10.0.0.2", "head", TOLD["nodes"][0]["since"], Share(4.0, 1.0), Share(8.0), Share(0, 0)
        ),
    )
    assert seen.jobs == (JobFacts("raysubmit_1", "RUNNING", "python x.py"),)
    assert seen.events == (Event("2026-11-21T11:00:00+00:00", "joined", "worker-0", "worker-0 joined"),)
    assert (seen.cluster, seen.answers, seen.epoch, seen.serve) == ("ray", True, 3, {"/": "app"})


@pytest.mark.parametrize("fields", [{}, {"nodes": "many", "jobs": [1], "epoch": "x", "serve": []}, {"nodes": [{}]}])
def test_what_another_version_tells_otherwise_is_left_empty(fields: dict[str, Any]) -> None:
    seen = parse(fields)
    assert (seen.answers, seen.jobs, seen.events, seen.epoch) == (False, (), (), 0)


def test_the_head_is_shown_all_that_opens_it(server: responses.RequestsMock) -> None:
    server.get(f"{URL}/cai-deploy/overview", json=TOLD)
    assert Head(ACCESS).overview() == parse(TOLD)
    assert ACCESS.headers.items() <= dict(server.calls[0].request.headers).items()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 401}, HeadRefuses),
        ({"status": 403}, HeadRefuses),
        ({"status": 302, "headers": {"Location": f"{URL}/login"}}, HeadRefuses),
        ({"status": 404}, NoHead),
        ({"status": 503, "json": {}}, HeadSilent),
        ({"status": 200, "body": "<html>"}, HeadSilent),
        ({"status": 200, "json": [1]}, HeadSilent),
        ({"body": requests.ConnectionError("key in it")}, HeadSilent),
    ],
)
def test_why_a_head_tells_nothing(server: responses.RequestsMock, answer: dict[str, Any], error: type[NoHead]) -> None:
    server.get(f"{URL}/cai-deploy/overview", **answer)
    with pytest.raises(error) as raised:
        Head(ACCESS).overview()
    assert type(raised.value) is error
    assert "key" not in str(raised.value)
