"""One real workspace for all tests of this directory, and a small client for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from cai_deploy.local_workspace import process
from tests.polling import eventually

SERVER_SCRIPT = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = "\\n".join([self.command, self.path, self.headers.get("Authorization", "none"),
                          os.environ["CDSW_IP_ADDRESS"], self.rfile.read(length).decode()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Kept", "yes")
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = _answer
    def log_message(self, *_): pass
HOST = os.environ.get("BIND", "127.0.0.1")
http.server.ThreadingHTTPServer((HOST, int(os.environ["CDSW_APP_PORT"])), Handler).serve_forever()
"""


class Client:
    """Speaks the API as a client would that knows nothing of the server's inside."""

    def __init__(self, endpoint: process.Endpoint) -> None:
        self.endpoint = endpoint
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {endpoint.api_key}"

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.endpoint.host}/api/v2/{path}", timeout=40, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self._good(self.ask("GET", path, **options))

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._good(self.ask("POST", path, json=body, **options))

    def patch(self, path: str, body: Any) -> Any:
        return self._good(self.ask("PATCH", path, json=body))

    def delete(self, path: str) -> Any:
        return self._good(self.ask("DELETE", path))

    def local(self, method: str, path: str, body: Any = None) -> Any:
        """Ask for what the workspace tells beside the contract."""
        url = f"{self.endpoint.host}/local/v1/{path}"
        return self._good(self.session.request(method, url, json=body, timeout=40))

    def _good(self, response: requests.Response) -> Any:
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return response.json()

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        response = self.ask(method, path, json=body)
        error = response.json()
        assert set(error) == {"error", "code", "message", "details"}
        assert error["error"] == error["message"]
        return response.status_code, error["message"]

    def runtime(self) -> str:
        return str(self.get("runtimes")["runtimes"][0]["image_identifier"])

    def project(self, **body: Any) -> str:
        made = self.post("projects", {"name": "a project", "template": "blank", **body})
        path = f"projects/{made['id']}"
        eventually(lambda: self.get(path)["creation_status"] != "creating")
        return str(made["id"])

    def upload(self, project: str, path: str, content: str | bytes) -> None:
        files = {path: (Path(path).name, content)}
        response = self.ask("POST", f"projects/{project}/files", files=files)
        assert (response.status_code, response.content) == (200, b"")

    def download(self, project: str, path: str) -> bytes:
        response = self.ask("POST", f"projects/{project}/files/{path}:download")
        assert response.status_code == 200, response.text
        return response.content

    def names(self, project: str, path: str = "") -> list[str]:
        return [entry["path"] for entry in self.get(f"projects/{project}/files/{path}")["files"]]

    def job(self, project: str, script: str, **body: Any) -> dict[str, Any]:
        full = {"name": "a job", "script": script, "runtime_identifier": self.runtime(), **body}
        return dict(self.post(f"projects/{project}/jobs", full))

    def run(self, project: str, script: str, body: Any = None, **job: Any) -> str:
        """Run a script as a job and return the state that it ends in."""
        made = self.job(project, script, **job)
        path = f"projects/{project}/jobs/{made['id']}/runs"
        return self.end_of(f"{path}/{self.post(path, body)['id']}")

    def end_of(self, run: str) -> str:
        ends = {"ENGINE_SUCCEEDED", "ENGINE_FAILED", "ENGINE_STOPPED", "ENGINE_TIMEDOUT", "ENGINE_SKIPPED"}
        return str(eventually(lambda: (state := self.get(run)["status"]) in ends and state))

    def application(self, project: str, subdomain: str, script: str, **body: Any) -> str:
        """Create an application; returns its path."""
        full = {"name": subdomain, "subdomain": subdomain, "script": script, "runtime_identifier": self.runtime()}
        made = self.post(f"projects/{project}/applications", full | body)
        return f"projects/{project}/applications/{made['id']}"

    def until(self, path: str, state: str) -> dict[str, Any]:
        """Wait for an application's state; an end state that is another one fails at once."""

        def reached() -> Any:
            shown = self.get(path)
            rest = {"APPLICATION_FAILED", "APPLICATION_STOPPED"} - {state}
            assert shown["status"] not in rest, self.log(shown["id"])
            return shown if shown["status"] == state else None

        return dict(eventually(reached))

    def visit(self, subdomain: str, path: str = "/", method: str = "GET", **options: Any) -> requests.Response:
        headers = {"Host": f"{subdomain}.localhost", **options.pop("headers", {})}
        return self.session.request(method, f"{self.endpoint.host}{path}", headers=headers, timeout=20, **options)

    def log(self, identifier: str) -> str:
        return (self.endpoint.home / "logs" / f"{identifier}.log").read_text()


@contextlib.contextmanager
def workspace_in(directory: Path, mode: str | None = None) -> Iterator[Client]:
    """A workspace of its own; afterwards nothing of it runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAI_DEPLOY_HOME", str(directory))
        patch.setenv("CAI_DEPLOY_STOP_GRACE", "1")
        patch.delenv("CAI_DEPLOY_POD_MODE", raising=False)
        if mode:
            patch.setenv("CAI_DEPLOY_POD_MODE", mode)
        try:
            yield Client(process.start())
        finally:
            process.stop()
    assert processes_of(directory) == []


def processes_of(directory: Path) -> list[str]:
    """Command lines and environments that name ``directory``: whatever belongs to the workspace in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes()
                if str(directory).encode() in line or str(directory).encode() in (entry / "environ").read_bytes():
                    found.append(f"{entry.name} {line.decode()}")
    return found


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The workspace that most tests share, in the best pod mode of this machine."""
    with workspace_in(tmp_path_factory.mktemp("shared")) as client:
        yield client


@pytest.fixture
def project(shared: Client) -> Iterator[str]:
    """An empty project that goes away with the test."""
    identifier = shared.project()
    yield identifier
    shared.delete(f"projects/{identifier}")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A small git repository: address, and the commits of two versions of one file."""
    directory = tmp_path_factory.mktemp("repository")

    def git(*arguments: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *who, *arguments], cwd=directory, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    (directory / "file.txt").write_text("one")
    git("add", "."), git("commit", "-q", "-m", "one"), git("tag", "v1")
    first = git("rev-parse", "HEAD")
    git("checkout", "-q", "-b", "side")
    (directory / "file.txt").write_text("side")
    git("commit", "-q", "-a", "-m", "side")
    git("checkout", "-q", "main")
    (directory / "file.txt").write_text("two")
    git("commit", "-q", "-a", "-m", "two")
    return {"url": str(directory), "first": first}


def environment_of(shown: dict[str, Any]) -> dict[str, str]:
    return dict(json.loads(shown["environment"] or "{}"))
