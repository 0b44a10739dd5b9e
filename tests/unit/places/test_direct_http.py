"""Nodes at addresses of their own, asked over plain HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cai_deploy.access import NoAnswer, NotLetIn
from cai_deploy.places.direct_http import DirectHttp


class Node(BaseHTTPRequestHandler):
    """Lets in who has the token, and tells what it was asked."""

    def do_GET(self) -> None:
        answers = {"/": b'{"state": "ok"}', "/list": b"[]", "/page": b"<html>"}
        if self.headers.get("X-Ray-Authorization") != "Bearer secret":
            self._answer(401, b"{}")
        else:
            self._answer(200 if self.path in answers else 404, answers.get(self.path, b"{}"))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(200, json.dumps({"heard": body}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # which would be asked, and does not answer
    server = HTTPServer(("127.0.0.1", 0), Node)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_asked(node: str) -> None:
    http = DirectHttp()
    assert http.get_json(node, "/", token="secret") == {"state": "ok"}
    assert http.post_json(node, "/drain", {"node": "w"}) == {"heard": {"node": "w"}}
    assert http.access(node, "secret").headers == {"X-Ray-Authorization": "Bearer secret"}
    assert http.access(node).base_url == f"http://{node}"


@pytest.mark.parametrize("path", ["/list", "/page", "/nowhere"])
def test_what_is_no_answer(node: str, path: str) -> None:
    with pytest.raises(NoAnswer):
        DirectHttp().get_json(node, path, token="secret")


def test_who_is_refused_is_told(node: str) -> None:
    with pytest.raises(NotLetIn):
        DirectHttp().get_json(node, "/", token="old")


def test_nobody_is_there() -> None:
    with pytest.raises(NoAnswer):
        DirectHttp().get_json("127.0.0.1:9", "/")
