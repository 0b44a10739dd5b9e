"""The head of a real cluster as a person and their programs meet it: in Chromium, and through its address alone."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import io
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import requests

from cai_deploy.testing.admin import Admin
from cai_deploy.testing.faults import Faults
from tests.e2e.conftest import Shell, people, poll
from tests.e2e.jobs import credentials, exported

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SPECIFICATION = """
head: {cpu: 1, memory_gb: 2}
workers: [{replicas: 1, cpu: 1, memory_gb: 2}]
timeouts: {launch: 480, join: 240, stop: 10}
"""

SERVED = """
import hashlib
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import RedirectResponse, StreamingResponse
from ray import serve

api = FastAPI()


@serve.deployment(ray_actor_options={"num_cpus": 0})
@serve.ingress(api)
class Served:
    @api.get("/")
    def root(self, request: Request):
        return {"headers": dict(request.headers), "path": request.url.path}

    @api.get("/list/")
    def list(self):
        return "the list"

    @api.post("/digest")
    async def digest(self, request: Request):
        found, size = hashlib.sha256(), 0
        async for piece in request.stream():
            found.update(piece)
            size += len(piece)
        return {"digest": found.hexdigest(), "size": size}

    @api.get("/events")
    def events(self):
        return StreamingResponse((f"data: {number}\\n\\n" for number in range(10_000)), media_type="text/event-stream")

    @api.websocket("/shout")
    async def shout(self, socket: WebSocket):
        await socket.accept()
        while True:
            await socket.send_text((await socket.receive_text()).upper())


app = Served.bind()
"""

UPLOAD = 200 * 1024 * 1024
PIECE = bytes(range(256)) * 4096
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]


@dataclass
class Head:
    """The application of a cluster's head: the address that a browser is told, and what a program shows there."""

    shell: Shell
    url: str
    headers: dict[str, str]

    @property
    def base(self) -> str:
        """Names below localhost are known to browsers and not to every resolver."""
        return f"http://127.0.0.1:{urlsplit(self.url).port}"

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Host": urlsplit(self.url).netloc, **self.headers, **options.pop("headers", {})}
        return requests.request(method, f"{self.base}{path}", headers=headers, timeout=120, **options)

    def told(self) -> dict[str, Any]:
        """The overview; nothing while the head is away."""
        try:
            answer = self.ask("GET", "/cai-deploy/overview")
        except requests.ConnectionError:
            return {}
        return dict(answer.json()) if answer.ok else {}

    def alive(self) -> set[str]:
        return {node["name"] for node in self.told().get("nodes", []) if node["state"] == "ALIVE"}


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A cluster of a head and a worker, that serves something and has run two jobs."""
    with people() as make:
        shell = make(specification=SPECIFICATION)
        shell.ok("launch")
        made = Head(shell, shell.status()["connection"]["dashboard_url"].rstrip("/"), credentials(shell))
        poll("the dashboard answers", lambda: made.ask("GET", "/api/version").ok, 60)
        serve_it(made)
        for name, code in (("seen-good", 0), ("seen-bad", 3)):
            body = {"entrypoint": f"sh -c 'printf spoken-; echo by-{name}; exit {code}'", "submission_id": name}
            made.ask("POST", "/api/jobs/", json=body).raise_for_status()
        ended = {"seen-good": "SUCCEEDED", "seen-bad": "FAILED"}
        poll("both jobs end", lambda: {job["id"]: job["status"] for job in made.told().get("jobs", [])} == ended, 90)
        yield made


def serve_it(head: Head) -> None:
    """Deploy ``SERVED`` through the REST API, as ``serve deploy`` does."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("served.py", SERVED)
    head.ask("PUT", "/api/packages/gcs/served.zip", data=packed.getvalue()).raise_for_status()
    application = {
        "name": "web",
        "route_prefix": "/",
        "import_path": "served:app",
        "runtime_env": {"working_dir": "gcs://served.zip"},
    }
    answer = head.ask("PUT", "/api/serve/applications/", json={"applications": [application]})
    assert answer.ok, answer.text
    poll("Serve answers", lambda: head.ask("GET", "/serve/").ok, 120)


def test_what_is_served_answers_below_serve(head: Head) -> None:
    seen = head.ask("GET", "/serve/").json()
    assert seen["path"] == "/"
    assert seen["headers"]["x-forwarded-prefix"] == "/serve"
    shown = [value.removeprefix("Bearer ") for value in head.headers.values()]
    assert not [value for value in seen["headers"].values() if any(secret in value for secret in shown)]
    answer = head.ask("GET", "/serve/list", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (307, "/serve/list/")
    assert head.ask("GET", "/serve/list/").json() == "the list"
    assert head.ask("GET", "/serve/nothing").status_code == 404
    assert head.told()["serve"] == {"/": "web"}
    key = {"X-Ray-Authorization": "Bearer wrong"}
    assert head.ask("GET", "/serve/", headers=key).status_code == 401


def test_a_big_upload_and_a_long_stream_pass_unharmed(head: Head) -> None:
    whole = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for _ in range(UPLOAD // len(PIECE)):
            whole.update(PIECE)
            yield PIECE

    assert head.ask("POST", "/serve/digest", data=pieces()).json() == {"digest": whole.hexdigest(), "size": UPLOAD}

    expected = hashlib.sha256(b"".join(f"data: {number}\n\n".encode() for number in range(10_000)))
    with head.ask("GET", "/serve/events", stream=True) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        got = hashlib.sha256()
        for piece in answer.iter_content(None):
            got.update(piece)
    assert got.hexdigest() == expected.hexdigest()


def test_a_websocket_of_an_application(head: Head) -> None:
    async def check() -> None:
        headers = {"Host": urlsplit(head.url).netloc, **head.headers}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(f"{head.base}/serve/shout") as joined,
        ):
            for number in range(100):
                await joined.send_str(f"a{number}")
                assert (await joined.receive(timeout=20)).data == f"A{number}"

    asyncio.run(check())


def test_the_metrics_of_all_nodes(head: Head) -> None:
    def read() -> bool:
        text = head.ask("GET", "/metrics").text
        return all(
            f'cai_deploy_node_metrics_read{{cai_deploy_node="{name}"}} 1' in text for name in ("head", "worker-0")
        )

    poll("every node tells", read, 60)
    targets = head.ask("GET", "/cai-deploy/metrics/targets").json()
    assert [target["labels"]["instance"] for target in targets] == ["head", "worker-0"]
    for target in targets:
        assert target["targets"] == [urlsplit(head.url).netloc]
        assert "ray_node_mem_used" in head.ask("GET", target["labels"]["__metrics_path__"]).text


@pytest.fixture
def chromium() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None or importlib.util.find_spec("playwright") is None:
        pytest.skip("no Chromium, or no playwright, on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.mark.browser
def test_in_a_browser(head: Head, chromium: Any, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("CAI_DEPLOY_PICTURES", tmp_path))
    pictures.mkdir(exist_ok=True)
    context = chromium.new_context(viewport=DESK)
    context.set_default_timeout(30_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda request: urlsplit(request.url).hostname.endswith("localhost") or wrong.append(request.url)
    )

    page.goto(f"{head.url}/serve/")
    page.get_by_label("API key").fill(exported(head.shell)["CML_API_KEY"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Token").fill("not-the-token")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("This is not the token.").wait_for()
    page.screenshot(path=pictures / "door.png")
    page.get_by_label("Token").fill(head.headers["X-Ray-Authorization"].removeprefix("Bearer "))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("x-forwarded-prefix").wait_for()  # where we wanted to go
    assert page.evaluate("document.cookie") == "", "no script can read what opens the cluster"

    page.goto(f"{head.url}/")
    for name in ("head", "worker-0"):
        row = page.get_by_role("row", name=name).first
        assert "alive" in row.inner_text()
    assert "exit code 3" in page.get_by_role("row", name="seen-bad").inner_text()
    page.get_by_text("worker-0 joined at").wait_for()
    for scheme in ("light", "dark"):
        for name, size in (("desk", DESK), ("phone", PHONE)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            page.screenshot(path=pictures / f"page-{scheme}-{name}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")
    head.ask("POST", "/api/jobs/", json={"entrypoint": "true", "submission_id": "seen-live"}).raise_for_status()
    page.get_by_role("link", name="seen-live").wait_for()  # without a reload

    page.get_by_role("link", name="seen-good").click()
    page.get_by_text("spoken-by-seen-good").first.wait_for()
    page.screenshot(path=pictures / "dashboard-job.png")
    page.get_by_role("link", name="Cluster", exact=True).first.click()
    page.get_by_text("Node Statistics").wait_for()
    page.get_by_text("ALIVE").nth(1).wait_for()
    page.screenshot(path=pictures / "dashboard-nodes.png")
    page.get_by_role("link", name="Logs", exact=True).first.click()
    page.get_by_role("link", name="Node ID:").first.click()
    page.get_by_role("link", name="raylet.out").first.click()
    page.get_by_text("(raylet)").first.wait_for()
    page.screenshot(path=pictures / "dashboard-logs.png")
    page.get_by_role("link", name="Serve", exact=True).first.click()
    page.get_by_role("link", name="web", exact=True).wait_for()
    page.screenshot(path=pictures / "dashboard-serve.png")
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    page.get_by_text("seen-bad").first.wait_for()
    page.screenshot(path=pictures / "dashboard-jobs.png")

    page.goto(f"{head.url}/")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").wait_for()
    context.close()
    assert wrong == []


def test_what_befalls_the_nodes_is_told(head: Head) -> None:
    """The last one, as it kills the nodes."""
    exports = exported(head.shell)
    admin = Admin(exports["CML_HOST"], exports["CML_API_KEY"])
    admin.ask("PATCH", "settings", {"restart_pause": 0.5})
    everybody = {"head", "worker-0"}
    Faults(admin).add("pod_killed", target="ray-worker-0", count=1)
    poll("the worker is lost", lambda: "lost" in kinds(head), 60)
    poll("the worker is back", lambda: head.alive() == everybody, 60)
    Faults(admin).clear()
    Faults(admin).add("pod_killed", target="ray-head", count=1)
    poll("the head has moved", lambda: "head_moved" in kinds(head), 90)
    poll("both are there", lambda: head.alive() == everybody, 60)
    assert kinds(head).count("lost") >= 1, "the new head knows what befell the one before"
    assert {job["id"] for job in head.told()["jobs"]} >= {"seen-good", "seen-bad"}


def kinds(head: Head) -> list[str]:
    return [event["kind"] for event in head.told().get("events", [])]
