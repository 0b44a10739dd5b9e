"""What a head tells a machine that joins, and what that comes to there. With a real HTTP port."""

from __future__ import annotations

import json
import platform
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cai_deploy import layout
from cai_deploy.connection import ConnectionInfo
from cai_deploy.errors import ConfigError, DeployError
from cai_deploy.places.base import NotPossibleHere
from cai_deploy.places.ssh.invitation import HeadDoor, HeadNotReached, Invitation, NoEntry, parse_head
from cai_deploy.places.ssh.joining import Wish, default_name, drafted
from tests.free_ports import free_ports
from tests.unit.places.ssh.samples import LOCKED, SPEC

INFO = ConnectionInfo(
    "ray", 1, "127.0.0.1", "", "", "", "", SPEC.ray_version, platform.python_version(), "2026-11-21T00:00:00+00:00"
)


class Head(BaseHTTPRequestHandler):
    told: dict[str, Any]
    files: dict[str, Any]

    def do_GET(self) -> None:
        self._answer(type(self).told)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer({"files": {path: type(self).files.get(path) for path in asked["paths"]}})

    def _answer(self, answer: dict[str, Any]) -> None:
        let_in = self.headers.get("X-Ray-Authorization") == "Bearer secret"
        body = json.dumps(answer).encode()
        self.send_response(200 if let_in else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def head() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Head)
    address = f"127.0.0.1:{server.server_port}"
    nodes = [{"name": "worker-7", "state": "ALIVE", "address": "10.0.0.7"}, {"name": "old", "state": "DEAD"}]
    Head.told = {"connection": asdict(replace(INFO, gcs_address=address)), "nodes": nodes}
    Head.files = {layout.applied_spec_file("ray"): SPEC.to_json(), layout.locked_file("ray"): LOCKED}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield address
    server.shutdown()
    server.server_close()


def test_a_head_invites_who_has_the_token(head: str) -> None:
    invited = HeadDoor(head, "secret").invitation()
    assert (invited.spec, invited.requirements, invited.nodes) == (SPEC, LOCKED, {"worker-7": "10.0.0.7"})
    assert HeadDoor(head, "secret").ray_state("old") == "DEAD"
    assert HeadDoor(head, "secret").ray_state("nobody") == ""
    with pytest.raises(NoEntry, match="it wants the cluster's token"):
        HeadDoor(head, "").invitation()
    with pytest.raises(NoEntry, match="another cluster's"):
        HeadDoor(head, "wrong").invitation()


def test_a_head_that_nobody_may_join(head: str) -> None:
    Head.files.pop(layout.applied_spec_file("ray"))
    with pytest.raises(NotPossibleHere, match="no specification"):
        HeadDoor(head, "secret").invitation()
    Head.told = {"connection": None}
    with pytest.raises(HeadNotReached, match="still starting"):
        HeadDoor(head, "secret").invitation()
    (port,) = free_ports(1)
    with pytest.raises(HeadNotReached, match="does not answer"):
        HeadDoor(f"127.0.0.1:{port}", "secret").invitation()


def test_what_a_head_is_called() -> None:
    assert parse_head(" gpu1 ") == "gpu1:8100"
    assert parse_head("100.64.0.1:8101") == "100.64.0.1:8101"
    for wrong in ("", ":8100", "gpu1:", "gpu1:http", "gpu1:70000"):
        with pytest.raises(DeployError):
            parse_head(wrong)


def draft_of(head: str, directory: Path, **wish: Any) -> dict[str, Any]:
    door = HeadDoor(head, "secret")
    return drafted(door, door.invitation(), Wish(**{"cpu": 1.0, "memory_gb": 1.0, **wish}), directory).request


def test_a_draft_says_who_it_is_and_nothing_secret(head: str, tmp_path: Path) -> None:
    request = draft_of(head, tmp_path / "joined", name="mine")
    assert (request["node"], request["mark"]["group"], request["mark"]["head"]) == ("mine", "joined", head)
    assert request["environment"]["RAY_HEAD_ADDRESS"] == head
    assert request["mark"]["address"] == request["environment"]["CAI_DEPLOY_ADDRESS"] == "127.0.0.1"
    assert "secret" not in json.dumps(request)
    assert not (tmp_path / "joined").exists()
    again, larger = draft_of(head, tmp_path / "joined", name="mine"), draft_of(head, tmp_path / "joined", cpu=2.0)
    assert again == request
    assert larger["mark"]["fingerprint"] != request["mark"]["fingerprint"]


def test_what_cannot_join(head: str, tmp_path: Path) -> None:
    for wish, told in (
        ({"name": "worker-7"}, "the node at 10.0.0.7 already"),
        ({"name": "worker-0"}, "a node of the specification already"),
        ({"name": "Mine"}, "is no name"),
        ({"cpu": 0.0}, "--cpu: "),
        ({"memory_gb": -1.0}, "--memory-gb: "),
    ):
        with pytest.raises(ConfigError, match=told):
            draft_of(head, tmp_path, **wish)
    door, invited = HeadDoor(head, "secret"), HeadDoor(head, "secret").invitation()
    other = Invitation(replace(invited.connection, python_version="3.9.1"), SPEC, LOCKED, {})
    with pytest.raises(ConfigError, match=r"the head has Python 3\.9\.1, this is Python"):
        drafted(door, other, Wish(), tmp_path)
    (port,) = free_ports(1)
    closed = Invitation(replace(invited.connection, gcs_address=f"127.0.0.1:{port}"), SPEC, LOCKED, {})
    with pytest.raises(ConfigError, match="is not reached from here"):
        drafted(door, closed, Wish(), tmp_path)


def test_it_is_called_after_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "GPU_box.2.example.com")
    assert default_name() == "joined-gpu-box"
