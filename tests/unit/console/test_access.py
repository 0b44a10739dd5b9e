"""Who gets in, what a forged form can do, and what every answer carries."""

from __future__ import annotations

import pytest
import requests

from .conftest import EVIL, Scene, Visitor, eventually

PAGES = ["/", "/console", "/console/", "/console/faults", "/console/nothing", "/console/projects/x"]


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_sees_the_door_alone(stranger: Visitor, path: str) -> None:
    answer = stranger.get(path, allow_redirects=False)
    assert (answer.status_code, answer.text) == (303, "")
    assert answer.headers["Location"].startswith("/login")
    assert EVIL.encode() not in stranger.get(path).content


def test_a_stranger_changes_nothing(scene: Scene, stranger: Visitor) -> None:
    answer = stranger.post(f"{scene.page}/applications/{scene.application}/stop", {}, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert scene.status() == "APPLICATION_RUNNING"


def test_the_key_opens_and_is_kept_nowhere(scene: Scene, stranger: Visitor) -> None:
    key = scene.workspace.api_key
    refused = stranger.post("/login", {"key": "wrong"})
    assert refused.status_code == 401
    assert "This is not the key of this workspace." in refused.text
    assert not stranger.session.cookies

    answer = stranger.sign_in()
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert attribute in cookie
    assert "Domain" not in cookie, "applications at <subdomain>.localhost must not get it"
    assert key not in cookie
    assert key not in stranger.get("/").text
    assert key not in scene.workspace.logs()
    assert stranger.get(f"/?key={key}").status_code == 200
    fresh = Visitor(scene)
    assert fresh.get(f"/login?key={key}").url.endswith(f"/login?key={key}")
    assert not fresh.session.cookies, "a key in an address opens nothing"


@pytest.mark.parametrize(
    ("following", "leads_to"),
    [
        ("/console/faults", "/console/faults"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/console/\\evil", "/"),
        ("/console/x\r\nSet-Cookie: a=b", "/"),
        ("/api/v2/projects", "/"),
    ],
)
def test_after_the_door_comes_a_page_of_the_console(
    scene: Scene, stranger: Visitor, following: str, leads_to: str
) -> None:
    form = {"key": scene.workspace.api_key, "next": following}
    answer = stranger.post("/login", form, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, leads_to)


def test_signing_out_ends_the_session(visitor: Visitor) -> None:
    cookies = visitor.session.cookies.copy()
    csrf = visitor.csrf()
    assert visitor.get("/logout").status_code == 404, "a link must not sign anybody out"
    assert visitor.post("/logout", {"csrf": csrf}).url.endswith("/login")
    assert not visitor.session.cookies
    visitor.session.cookies = cookies
    assert visitor.get("/").url.endswith("/login"), "a cookie that was kept is worth nothing"


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://web-x.localhost", "http://localhost:1"]
)
def test_a_form_from_elsewhere_is_refused(scene: Scene, visitor: Visitor, origin: str | None) -> None:
    form = {"csrf": visitor.csrf()}
    path = f"{scene.page}/applications/{scene.application}/stop"
    assert visitor.post(path, form, origin).status_code == 403
    assert Visitor(scene).post("/login", {"key": scene.workspace.api_key}, origin).status_code == 403
    assert scene.status() == "APPLICATION_RUNNING"


@pytest.mark.parametrize("csrf", ["", "wrong", "ä"])
def test_a_form_without_its_token_is_refused(scene: Scene, visitor: Visitor, csrf: str) -> None:
    path = f"{scene.page}/applications/{scene.application}/stop"
    assert visitor.post(path, {"csrf": csrf}).status_code == 403
    other = Visitor(scene)
    other.sign_in()
    assert visitor.post(path, {"csrf": other.csrf()}).status_code == 403, "another session's token"
    assert scene.status() == "APPLICATION_RUNNING"


@pytest.mark.parametrize("path", ["/login", "/console/static/console.js", "/", "/console/nothing", "/console/faults"])
def test_every_answer_carries_strict_headers(visitor: Visitor, path: str) -> None:
    headers = visitor.get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/console/static/../desk.py", "/console/static/%2e%2e/desk.py", "/console/static/x"])
def test_only_assets_are_served(stranger: Visitor, path: str) -> None:
    request = requests.Request("GET", stranger.host).prepare()
    request.url = f"{stranger.host}{path}"
    answer = stranger.session.send(request, allow_redirects=False, timeout=20)
    assert answer.status_code in (303, 404)
    assert "Desk" not in answer.text


def test_everything_shown_is_escaped_and_no_variable_is_shown(scene: Scene, visitor: Visitor) -> None:
    run = scene.ask("POST", f"projects/{scene.project}/jobs/{scene.job}/runs")["id"]
    scene.workspace.faults.add("stuck_starting", target=f"{EVIL}-nobody", count=1)
    job = f"{scene.page}/jobs/{scene.job}"
    paths = ["/", scene.page, f"{scene.page}/applications/{scene.application}", job, f"{job}/runs/{run}"]
    paths += [f"{scene.page}/files/page.html", f"{scene.page}/files/deep", "/console/faults"]
    paths += [f"/console/{EVIL}", f"{scene.page}/files/{EVIL}"]
    for path in paths:
        text = visitor.get(path).text
        assert "<img src=x" not in text, path
        assert "alert(" not in text or "&lt;" in text, path
        assert "<script>alert" not in text, path
        assert "of-the-environment" not in text, path
    assert "&lt;img src=x onerror=alert(1)&gt;" in visitor.get("/").text
    scene.workspace.faults.clear()


def test_files_of_a_project_and_nothing_else(scene: Scene, visitor: Visitor) -> None:
    files = f"{scene.page}/files"
    assert "er/" in visitor.get(f"{files}/deep").text
    assert "print(&#39;worked&#39;)" in visitor.get(f"{files}/deep/er/work.py").text
    assert "This is no text file." in visitor.get(f"{files}/data.bin").text
    assert "The file is empty." in visitor.get(f"{files}/empty.txt").text
    assert visitor.get(f"{files}/missing").status_code == 404
    raw = visitor.get(f"{scene.page}/raw/page.html")
    assert raw.content == b"<script>alert(1)</script>"
    assert raw.headers["Content-Type"] == "application/octet-stream"
    assert raw.headers["Content-Disposition"].startswith("attachment")
    (scene.workspace.home / "projects" / scene.project / "way-out").symlink_to("/etc")
    for path in ("%2e%2e%2f%2e%2e%2fidentity.json", "..%2fx", "way-out", "way-out/passwd"):
        for kind in ("files", "raw"):
            answer = visitor.get(f"{scene.page}/{kind}/{path}")
            assert answer.status_code in (400, 404), path
            assert "root:" not in answer.text
            assert scene.workspace.api_key not in answer.text
    for path in ("server", "kubelet-plain", "..%2fserver", "x"):
        assert visitor.get(f"/console/logs/{path}").status_code == 404, "only logs of workloads"


def test_buttons_do_what_they_say(scene: Scene, visitor: Visitor) -> None:
    form = {"csrf": visitor.csrf()}
    application = f"{scene.page}/applications/{scene.application}"
    assert visitor.post(f"{application}/stop", form).url.endswith(application)
    eventually(lambda: scene.status() == "APPLICATION_STOPPED")
    assert ">Start</button>" in visitor.get(application).text
    visitor.post(f"{application}/restart", form)
    eventually(lambda: scene.status() == "APPLICATION_RUNNING")
    page = visitor.get(application).text
    assert ">Restart</button>" in page
    assert "127.77." in page
    assert f"http://web-x.localhost:{visitor.host.rpartition(':')[2]}/" in page

    started = visitor.post(f"{scene.page}/jobs/{scene.job}/run", form)
    assert "/runs/" in started.url
    eventually(lambda: "succeeded" in visitor.get(started.url.removeprefix(visitor.host)).text)
    assert "worked" in visitor.get(started.url.removeprefix(visitor.host)).text
    assert visitor.get(f"{application}/stop").status_code == 404, "a link must not stop anything"


def test_faults_from_the_console(scene: Scene, visitor: Visitor) -> None:
    csrf = visitor.csrf()
    form = {
        "csrf": csrf,
        "kind": "rate_limit",
        "method": "GET",
        "path": "*/runtimes",
        "count": "1",
        "nth": "",
        "target": "x",
    }
    assert "rate_limit" in visitor.post("/console/faults", form).text
    (fault,) = scene.workspace.faults.all()
    assert (fault.kind, fault.rule["path"], fault.rule["count"]) == ("rate_limit", "*/runtimes", 1)
    assert scene.api.get(f"{scene.workspace.host}/api/v2/runtimes", timeout=20).status_code == 429
    refused = visitor.post("/console/faults", {**form, "nth": "0"})
    assert refused.status_code == 400
    assert "nth is an integer of at least 1" in refused.text
    visitor.post(f"/console/faults/{fault.id}/remove", {"csrf": csrf})
    assert scene.workspace.faults.all() == []
    visitor.post("/console/faults", form)
    visitor.post("/console/faults/clear", {"csrf": csrf})
    assert scene.workspace.faults.all() == []


def test_the_api_is_as_it_was(scene: Scene, visitor: Visitor) -> None:
    assert visitor.get("/api/v2/projects").status_code == 401, "the console's cookie opens the console alone"
    assert visitor.get("/local/v1/status").status_code == 401
    assert visitor.get("/somewhere").status_code == 401
