"""A workspace with something in it, and a browser-like client that has signed in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from cai_deploy.testing import LocalWorkspace, local_workspace
from tests.polling import eventually

WEB = """
import http.server, os
print("\\033[32mserving\\033[0m <script>alert('log')</script> \\u00e4", flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/": print("said", self.path, flush=True)
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", int(os.environ["CDSW_APP_PORT"])), Handler).serve_forever()
"""
EVIL = "<img src=x onerror=alert(1)>"


@dataclass
class Scene:
    """A workspace and the ids of what is in it."""

    workspace: LocalWorkspace
    api: requests.Session = field(default_factory=requests.Session)
    project: str = ""
    application: str = ""
    job: str = ""

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = self.api.request(method, f"{self.workspace.host}/api/v2/{path}", json=body, timeout=20, **options)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    @property
    def page(self) -> str:
        return f"/console/projects/{self.project}"

    def status(self) -> str:
        return str(self.ask("GET", f"projects/{self.project}/applications/{self.application}")["status"])


@pytest.fixture(scope="session")
def scene() -> Iterator[Scene]:
    with local_workspace(stop_grace=0.5) as workspace:
        made = Scene(workspace)
        made.api.headers["Authorization"] = f"Bearer {workspace.api_key}"
        body = {"name": EVIL, "description": EVIL, "environment": {"SECRET": "of-the-environment"}}
        made.project = made.ask("POST", "projects", body)["id"]
        path = f"projects/{made.project}"
        eventually(lambda: made.ask("GET", path)["creation_status"] == "success")
        files = {
            "web.py": WEB,
            "deep/er/work.py": "print('worked')",
            "wait.py": "import time; time.sleep(1000)",
            "page.html": "<script>alert(1)</script>",
            "data.bin": b"\0\1",
            "empty.txt": "",
            f"{EVIL.replace('/', '')}.txt": "x",
        }
        for name, content in files.items():
            made.ask("POST", f"{path}/files", files={name: (name.rpartition("/")[2], content)})
        runtime = made.ask("GET", "runtimes")["runtimes"][0]["image_identifier"]
        common = {"runtime_identifier": runtime}
        job = {"name": EVIL, "script": "deep/er/work.py", "arguments": EVIL, **common}
        made.job = made.ask("POST", f"{path}/jobs", job)["id"]
        application = {"name": EVIL, "description": EVIL, "subdomain": "web-x", "script": "web.py", **common}
        made.application = made.ask("POST", f"{path}/applications", application)["id"]
        eventually(lambda: made.status() == "APPLICATION_RUNNING")
        yield made


class Visitor:
    """What a browser does with forms, cookies and the Origin header."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.host = scene.workspace.host
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(f"{self.host}{path}", timeout=20, **options)

    def post(self, path: str, form: dict[str, str], origin: str | None = "own", **options: Any) -> requests.Response:
        headers = {} if origin is None else {"Origin": self.host if origin == "own" else origin}
        return self.session.post(f"{self.host}{path}", data=form, headers=headers, timeout=20, **options)

    def sign_in(self) -> requests.Response:
        return self.post("/login", {"key": self.scene.workspace.api_key}, allow_redirects=False)

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/").text)
        assert found
        return found[1]


@pytest.fixture
def stranger(scene: Scene) -> Visitor:
    return Visitor(scene)


@pytest.fixture
def visitor(scene: Scene) -> Visitor:
    made = Visitor(scene)
    assert made.sign_in().status_code == 303
    return made
