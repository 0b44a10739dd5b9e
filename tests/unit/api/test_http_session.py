"""Addresses as people write them, and names of this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cai_deploy.api.application_http import ApplicationHttp
from cai_deploy.api.http_session import is_localhost, normalise_host
from cai_deploy.api.transport import Transport
from cai_deploy.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ml.example.com", "https://ml.example.com"),
        ("https://ml.example.com/", "https://ml.example.com"),
        ("https://https://ml.example.com", "https://ml.example.com"),
        (" HTTPS://ML.example.com/api/v1 ", "https://ml.example.com"),
        ("https://ml.example.com/api/v2/", "https://ml.example.com"),
        ("http://localhost:1234", "http://localhost:1234"),
        ("https://http://localhost:1234", "http://localhost:1234"),
    ],
)
def test_hosts_are_normalised(given, expected):
    assert normalise_host(given) == expected


@pytest.mark.parametrize("bad", ["", "https://", "https://someone:secret@ml.example.com", "ml.example.com:port"])
def test_hosts_that_cannot_be_used_are_refused(bad):
    with pytest.raises(ConfigError) as caught:
        normalise_host(bad)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("localhost.example.com", False),
        ("mylocalhost", False),
        (None, False),
    ],
)
def test_names_of_this_machine(name, expected):
    assert is_localhost(name) is expected


class _Echo(BaseHTTPRequestHandler):
    """Answers with the Host header and the path that it was asked for."""

    def do_GET(self) -> None:
        body = json.dumps({"host": self.headers["Host"], "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_names_below_localhost_connect_here_past_any_proxy(port, monkeypatch):
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    told = ApplicationHttp(f"http://localhost:{port}", "key").get_json("ray-head", "/x/y?z=1")
    assert told == {"host": f"ray-head.localhost:{port}", "path": "/x/y?z=1"}
    told = Transport(f"http://localhost:{port}", "key", attempts=1).read("projects")
    assert told == {"host": f"localhost:{port}", "path": "/api/v2/projects"}
