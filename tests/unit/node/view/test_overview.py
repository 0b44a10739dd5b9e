"""The cluster in one answer."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from dataclasses import replace

import pytest

from cai_deploy.connection import ConnectionInfo
from cai_deploy.node.gcs import RayNode, Submission
from cai_deploy.node.view.overview import GONE_SHOWN, Overview, serve_routes, shown
from tests.unit.node.fake_gcs import FakeGcs

INFO = ConnectionInfo(
    "ray",
    3,
    "10.0.0.1",
    "10.0.0.1:6379",
    "10.0.0.1:10001",
    "",
    "http://head",
    "2.60.0",
    "3.11.7",
    "2026-01-01T00:00:00",
)
HEAD = RayNode(b"h", "head", "ALIVE", "ACTIVE", "10.0.0.1", True, 1_000, {}, {"CPU": 2.0, "memory": 4e9})


def test_the_whole_answer() -> None:
    worker = RayNode(
        b"w",
        "worker-0",
        "ALIVE",
        "IDLE",
        "10.0.0.2",
        False,
        2_000,
        {"cai-deploy/group": "worker", "cai-deploy/epoch": "7"},
    )
    gcs = FakeGcs(HEAD, worker)
    gcs.unreserved = {b"h": {"CPU": 0.5, "memory": 4e9}}
    gcs.listed_jobs = [
        Submission("old", "SUCCEEDED", "python a.py", 0, "done", 1_000, 2_000),
        Submission("new", "FAILED", "python b.py" + "x" * 1000, 3, "failed\nwith logs", 3_000, 4_000),
    ]
    told = Overview(gcs, INFO, lambda: {"/": "app"}).describe()
    assert (told["cluster"], told["epoch"], told["answers"], told["serve"]) == ("ray", 3, True, {"/": "app"})
    head, other = told["nodes"]
    assert head == {
        "name": "head",
        "address": "10.0.0.1",
        "state": "ALIVE",
        "is_head": True,
        "idle": False,
        "group": "",
        "epoch": "",
        "since": "1970-01-01T00:00:01+00:00",
        "cpu": {"total": 2.0, "used": 1.5},
        "memory": {"total": 4e9, "used": 0.0},
        "gpu": {"total": 0.0, "used": 0.0},
    }
    assert (other["group"], other["epoch"], other["cpu"]) == ("worker", "7", {"total": 0.0, "used": None})
    new, old = told["jobs"]
    assert (new["id"], new["exit_code"], new["message"], len(new["entrypoint"])) == ("new", 3, "failed", 300)
    assert (old["started_at"], old["ended_at"]) == ("1970-01-01T00:00:01+00:00", "1970-01-01T00:00:02+00:00")
    assert [event["kind"] for event in told["events"]] == ["joined", "head_started"]
    json.dumps(told)


def test_without_a_gcs() -> None:
    gcs = FakeGcs()
    gcs.away = True
    told = Overview(gcs, INFO, dict).describe()
    assert (told["answers"], told["nodes"], told["jobs"], told["events"]) == (False, [], [], [])


def test_which_starts_are_shown() -> None:
    now = time.time() * 1000
    long_ago, lately = int(now - GONE_SHOWN * 1000 - 1), int(now - 1000)
    nodes = [
        RayNode(b"1", "worker-10", "DEAD", ended=lately),
        RayNode(b"2", "worker-2", "DEAD", ended=lately),
        RayNode(b"3", "worker-3", "DEAD", ended=long_ago),
        RayNode(b"4", "worker-10", "ALIVE"),
        replace(HEAD, started=9),
    ]
    assert [(node.id, node.name) for node in shown(nodes, now)] == [
        (b"h", "head"),
        (b"2", "worker-2"),
        (b"4", "worker-10"),
    ]


def test_a_drained_node_is_not_shown() -> None:
    gcs = FakeGcs(HEAD, RayNode(b"w", "worker-0", "DEAD", ended=int(time.time() * 1000)))
    gcs.noted[b"w"] = 1.0
    told = Overview(gcs, INFO, dict).describe()
    assert [node["name"] for node in told["nodes"]] == ["head"]
    assert told["events"][0]["kind"] == "left"


@pytest.mark.parametrize(("body", "routes"), [(b'{"/": "a"}', {"/": "a"}), (b"[]", {}), (b"no", {})])
def test_what_serve_says(body: bytes, routes: dict[str, str]) -> None:
    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/-/routes" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert serve_routes(server.server_port) == routes


def test_no_serve() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert serve_routes(bound.getsockname()[1]) == {}
