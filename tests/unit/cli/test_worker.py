"""``worker``: what is asked at a terminal and an error elsewhere, and what is there before anything was joined."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cai_deploy import layout
from tests.free_ports import free_ports
from tests.terminal import at_a_terminal

ARGV = [sys.executable, "-m", "cai_deploy", "worker"]


class Closed(BaseHTTPRequestHandler):
    """A head that lets nobody in."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def head() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Closed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def env(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "NO_COLOR": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def run(home: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*ARGV, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=home,
        env=env(home),
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def test_nobody_is_asked_where_nobody_is(tmp_path: Path, head: str) -> None:
    missing = "error: --head is missing, and nobody is here to be asked\nhint: say it: --head …\n"
    assert run(tmp_path, "join") == (2, "", missing)
    status, _, told = run(tmp_path, "join", "--head", head)
    assert (status, told.splitlines()[:2]) == (
        4,
        [f"error: the head at {head} does not let this machine in", "  it wants the cluster's token"],
    )
    absent = run(tmp_path, "join", "--head", head, "--token-file", "none")
    assert absent[2].startswith("error: --token-file none cannot be read\n  ")
    assert absent[0] == 2


def test_what_was_not_said_is_asked_at_a_terminal(tmp_path: Path, head: str) -> None:
    questions = [("The head (HOST[:PORT])", head), ("The cluster's token", "s3cret")]
    status, shown = at_a_terminal([*ARGV, "join"], questions, cwd=tmp_path, env=env(tmp_path))
    assert status == 4
    assert "the token is another cluster's, or an old one" in shown
    assert "s3cret" not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_head_that_nobody_reaches(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    (tmp_path / "token").write_text("s3cret\n")
    status, _, told = run(tmp_path, "join", "--head", f"127.0.0.1:{port}", "--token-file", "token")
    assert status == 5
    assert told == (
        f"error: the head at 127.0.0.1:{port} does not answer\n"
        "  no connection, or none that lasted\n"
        "hint: name the address and the HTTP port of its head: --head HOST:PORT; `worker invite` tells both\n"
    )


def test_a_machine_that_has_joined_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, "leave") == (0, "", "this machine has joined no cluster: nothing to do\n")
    assert run(tmp_path, "status") == (0, "", "this machine has joined no cluster\n")
    assert run(tmp_path, "status", "--json") == (0, '{\n  "workers": []\n}\n', "")


def test_what_was_begun_goes_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    for cluster in ("one", "two"):
        begun = tmp_path / f".cai-deploy-joined-{cluster}"
        (begun / layout.code_dir("c0de")).mkdir(parents=True)
    (tmp_path / ".cai-deploy-joined-two" / "notes.txt").write_text("mine")
    status, _, told = run(tmp_path, "leave")
    assert status == 1
    assert told == (
        "what was begun to join cluster one is not here any more\n"
        f"error: {tmp_path}/.cai-deploy-joined-two is not empty\n"
        "hint: look what is in it, and remove it by hand\n"
    )
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == ["notes.txt"]
