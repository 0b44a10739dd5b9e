"""Ray's own client, on our way of asking: where it connects to, what it shows, and what its answers mean."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from aiohttp import web

from cai_deploy.access import Access
from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.submission.job import Job
from cai_deploy.submission.jobs import HeadAway, JobsRefusal, Member, NoSuchJob, Refused, Request
from cai_deploy.submission.ray_jobs import RayJobs, Way, open_jobs

BASE = "https://ray-head.ml.example.com"
ACCESS = Access(BASE, {"Authorization": "Bearer s3cret-key", "X-Ray-Authorization": "Bearer s3cret-token"})
INFO = {
    "type": "SUBMISSION",
    "submission_id": "j",
    "job_id": "03000000",
    "status": "FAILED",
    "entrypoint": "python x",
    "message": "m",
    "driver_exit_code": 7,
    "start_time": 1,
    "end_time": 2,
    "metadata": {"a": "b"},
    "runtime_env": {"env_vars": {"A": "s3cret"}},
}
JOB = Job("j", "FAILED", "python x", "m", 7, 1, 2, submitted=True, metadata={"a": "b"})


@pytest.fixture
def head() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        mocked.get(f"{BASE}/api/version", json={"version": "4", "ray_version": "2.60.0"})
        yield mocked


def test_every_request_goes_to_the_head_with_our_headers_alone(
    head: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine ray-head.ml.example.com login me password other")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("RAY_ADDRESS", "https://elsewhere.example.com")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "https://elsewhere.example.com")
    head.get(f"{BASE}/api/jobs/j", json=INFO)
    assert open_jobs(ACCESS).find("j") == JOB
    assert {call.request.headers["Authorization"] for call in head.calls} == {"Bearer s3cret-key"}
    assert {call.request.headers["X-Ray-Authorization"] for call in head.calls} == {"Bearer s3cret-token"}
    assert {str(call.request.url).rpartition("/api/")[0] for call in head.calls} == {BASE}


def test_this_machine_is_reached_past_proxies_and_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def send(session: requests.Session, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        seen.append((request.url, request.headers["Host"], dict(more["proxies"])))
        answer = requests.Response()
        answer.status_code = 200
        return answer

    monkeypatch.setenv("HTTP_PROXY", "http://proxy:1")
    monkeypatch.setattr(requests.Session, "send", send)
    Way(Access("http://127.0.0.1:80", {"Host": "ray.localhost:80"})).ask("GET", "/x")
    assert seen == [("http://127.0.0.1:80/x", "ray.localhost:80", {})]


@pytest.mark.parametrize(
    ("answer", "kind", "exit_code"),
    [
        ({"status": 401}, Refused, 4),
        ({"status": 403}, Refused, 4),
        ({"status": 302, "headers": {"Location": "/login"}}, Refused, 4),
        ({"status": 500, "body": "Traceback\n  TimeoutError: no agent\n"}, HeadAway, 5),
        ({"status": 502, "body": "<html>"}, HeadAway, 5),
        ({"status": 503}, HeadAway, 5),
        ({"body": requests.ConnectionError("s3cret-key")}, HeadAway, 5),
        ({"body": requests.ReadTimeout()}, HeadAway, 5),
        ({"status": 400, "body": "Traceback\nValueError: bad"}, JobsRefusal, 1),
    ],
)
def test_what_answers_mean(
    head: responses.RequestsMock, answer: dict[str, Any], kind: type[DeployError], exit_code: int
) -> None:
    jobs = open_jobs(ACCESS)
    head.get(f"{BASE}/api/jobs/j", **answer)
    with pytest.raises(kind) as caught:
        jobs.find("j")
    assert caught.value.exit_code == exit_code
    assert "s3cret" not in f"{caught.value!r} {caught.value} {caught.value.why}"


def test_a_job_that_the_cluster_does_not_know(head: responses.RequestsMock) -> None:
    jobs = open_jobs(ACCESS)
    head.get(f"{BASE}/api/jobs/j", status=404)
    head.get(f"{BASE}/api/jobs/j/logs", status=404)
    head.post(f"{BASE}/api/jobs/j/stop", status=404)
    assert jobs.find("j") is None
    for ask in (jobs.output, jobs.stop):
        with pytest.raises(NoSuchJob):
            ask("j")


def test_a_package_is_brought_there_once(head: responses.RequestsMock, tmp_path: Path) -> None:
    package = tmp_path / "working_dir.zip"
    package.write_bytes(b"PK\x05\x06" + bytes(18))
    jobs = open_jobs(ACCESS)
    name = "_ray_pkg_b04f3ee8f5e43fa3b162981b50bb72fe1acabb33.zip"
    url = f"{BASE}/api/packages/gcs/{name}"
    head.get(url, status=404)
    put = head.put(url, status=200)
    head.post(f"{BASE}/api/jobs/", json={"job_id": "j", "submission_id": "j"})
    request = Request("j", "python x", {"env_vars": {"A": "1"}}, package, num_cpus=2, on={"g": "!head"})
    assert jobs.submit(request) is True
    sent = json.loads(head.calls[-1].request.body or "")
    assert sent["runtime_env"]["working_dir"] == f"gcs://{name}"
    assert sent["submission_id"] == "j"
    assert (sent["entrypoint_num_cpus"], sent["entrypoint_label_selector"]) == (2, {"g": "!head"})
    head.replace("GET", url, status=200)
    assert jobs.submit(request) is False
    assert put.call_count == 1


def test_an_environment_that_ray_does_not_take(head: responses.RequestsMock) -> None:
    with pytest.raises(ConfigError, match="does not take"):
        open_jobs(ACCESS).submit(Request("j", "x", {"pip": ["a"], "conda": "b"}))


def test_the_nodes_that_are_alive(head: responses.RequestsMock) -> None:
    node = {"state": "ALIVE", "labels": {"g": "w"}, "resources_total": {"CPU": 1.0}}
    listed = [node, {**node, "state": "DEAD"}, {"state": "ALIVE", "labels": None}]
    head.get(f"{BASE}/api/v0/nodes?detail=1", json={"data": {"result": {"result": listed}}})
    assert open_jobs(ACCESS).members() == [Member({"g": "w"}, {"CPU": 1.0}), Member({}, {})]


def test_jobs_that_nobody_submitted_are_listed_too(head: responses.RequestsMock) -> None:
    head.get(f"{BASE}/api/jobs/", json=[INFO, {**INFO, "type": "DRIVER", "submission_id": None}])
    assert [(job.id, job.submitted) for job in open_jobs(ACCESS).all()] == [("j", True), ("03000000", False)]


Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
def served() -> Iterator[Callable[[Handle], Access]]:
    """A head whose log tail is ``handle``, on a port of this machine."""
    started: list[tuple[asyncio.AbstractEventLoop, web.AppRunner]] = []

    def serve(handle: Handle) -> Access:
        loop, ready = asyncio.new_event_loop(), threading.Event()
        ports: list[int] = []

        async def start() -> None:
            application = web.Application()
            application.router.add_get("/api/jobs/j/logs/tail", handle)
            runner = web.AppRunner(application)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            ports.append(runner.addresses[0][1])
            started.append((loop, runner))
            ready.set()

        def run() -> None:
            loop.run_until_complete(start())
            loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        assert ready.wait(10)
        return Access(f"http://127.0.0.1:{ports[0]}", {"Host": "ray.localhost", "X-Ray-Authorization": "Bearer t"})

    yield serve
    for loop, runner in started:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)


def tailed(access: Access) -> list[str]:
    found: list[str] = []

    async def read() -> None:
        async for text in RayJobs(None, Way(access), access).tail("j"):
            found.append(text)

    try:
        asyncio.run(asyncio.wait_for(read(), 20))
    except HeadAway:
        found.append("AWAY")
    return found


def test_a_tail_ends_when_ray_closes_it(served: Callable[[Handle], Access]) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.headers["X-Ray-Authorization"] == "Bearer t"
        assert request.headers["Host"] == "ray.localhost"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("one\n")
        await socket.send_str("two\n" * 100_000)
        return socket

    assert tailed(served(handle)) == ["one\n", "two\n" * 100_000]


def test_a_tail_that_breaks_is_told_from_one_that_ends(served: Callable[[Handle], Access]) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("one\n")
        assert request.transport
        request.transport.abort()
        return socket

    assert tailed(served(handle))[-1] == "AWAY"


@pytest.mark.parametrize("status", [404, 500, 502, 503])
def test_no_tail_now(served: Callable[[Handle], Access], status: int) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    assert tailed(served(handle)) == ["AWAY"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_tail_that_refuses(served: Callable[[Handle], Access], status: int) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    with pytest.raises(Refused):
        tailed(served(handle))


def test_nobody_there() -> None:
    assert tailed(Access("http://127.0.0.1:9", {"Host": "x"})) == ["AWAY"]
