"""The console in a real Chromium: signing in, live state and logs, buttons, keyboard, phone, dark mode."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from .conftest import Scene, eventually

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
TIMEOUT = 15_000


@pytest.fixture(scope="module")  # no longer: as long as it lives, no other test of this process can run a loop
def chromium() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed: pip install 'cai-deploy[test]'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def wrong() -> list[str]:
    """What went wrong in the page."""
    return []


@pytest.fixture
def page(chromium: Any, scene: Scene, wrong: list[str]) -> Iterator[Any]:
    """A page that has signed in; afterwards nothing may have gone wrong in it, nor any request left the workspace."""
    context = chromium.new_context()
    context.set_default_timeout(TIMEOUT)
    made = context.new_page()
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    made.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    made.on("request", lambda request: request.url.startswith(scene.workspace.host) or wrong.append(request.url))
    made.goto(f"{scene.workspace.host}/")
    made.get_by_label("API key").fill(scene.workspace.api_key)
    made.get_by_role("button", name="Sign in").click()
    made.get_by_role("heading", name="Overview").wait_for()
    yield made
    context.close()
    assert wrong == []


def test_an_application_from_end_to_end(page: Any, scene: Scene) -> None:
    page.get_by_role("link", name="<img src=x").first.click()
    page.get_by_role("heading", name="Files").wait_for()
    page.goto(f"{scene.workspace.host}{scene.page}/applications/{scene.application}")
    log = page.get_by_role("log")
    assert "serving <script>alert('log')</script> ä" in log.inner_text()
    headers = {"Host": "web-x.localhost", "Authorization": f"Bearer {scene.workspace.api_key}"}
    requests.get(f"{scene.workspace.host}/live", headers=headers, timeout=20)
    page.get_by_text("said /live").wait_for()  # without a reload
    assert "MB" in page.locator(".use").inner_text()

    page.get_by_role("button", name="Stop").click()
    page.get_by_text("stopped", exact=True).wait_for()
    page.get_by_role("button", name="Start").click()
    page.get_by_text("running", exact=True).wait_for()
    page.get_by_role("button", name="Restart").wait_for()
    assert scene.status() == "APPLICATION_RUNNING"


def test_a_run_with_its_live_log(page: Any, scene: Scene) -> None:
    project = f"projects/{scene.project}"
    script = "import os, time\nprint('begins', flush=True)\nwhile not os.path.exists('go-on'): time.sleep(.02)\n"
    script += "print('ends')"
    scene.ask("POST", f"{project}/files", files={"live.py": ("live.py", script)})
    runtime = scene.ask("GET", "runtimes")["runtimes"][0]["image_identifier"]
    job = scene.ask("POST", f"{project}/jobs", {"name": "live", "script": "live.py", "runtime_identifier": runtime})
    page.goto(f"{scene.workspace.host}{scene.page}/jobs/{job['id']}")
    page.get_by_role("button", name="Run now").click()
    page.get_by_role("log").get_by_text("begins").wait_for()
    page.get_by_text("running", exact=True).wait_for()
    scene.ask("POST", f"{project}/files", files={"go-on": ("go-on", "")})
    page.get_by_role("log").get_by_text("ends").wait_for()
    page.get_by_text("succeeded", exact=True).wait_for()
    page.get_by_role("button", name="Stop").wait_for(state="detached")


def test_faults_on_and_off(page: Any, scene: Scene) -> None:
    page.get_by_role("link", name="Faults").click()
    page.get_by_text("None. The workspace is well.").wait_for()
    kind = page.get_by_label("What happens")
    kind.select_option("stuck_starting")
    assert page.get_by_label("Path").is_hidden()
    page.get_by_label("Name, id or subdomain").wait_for()
    kind.select_option("rate_limit")
    page.get_by_label("Path").fill("*/nothing")
    page.get_by_label("Times at most").fill("2")
    page.get_by_role("button", name="Add fault").click()
    page.get_by_role("button", name="Remove rate_limit").wait_for()
    assert page.locator(".count").inner_text().startswith("1")
    assert scene.workspace.faults.all()[0].rule["path"] == "*/nothing"
    page.get_by_role("button", name="Remove rate_limit").click()
    page.get_by_text("None. The workspace is well.").wait_for()


def test_a_refresh_leaves_the_focus_where_it_is(page: Any, scene: Scene) -> None:
    page.goto(f"{scene.workspace.host}{scene.page}/applications/{scene.application}")
    page.locator("#restart").focus()
    before = page.locator("#head").inner_html()
    eventually(lambda: page.locator("#head").inner_html() != before)
    assert page.evaluate("document.activeElement.id") == "restart"


def test_the_door_by_keyboard_and_out_again(page: Any, scene: Scene) -> None:
    page.get_by_role("button", name="Sign out").press("Enter")
    page.get_by_role("heading", name="Sign in").wait_for()
    assert page.evaluate("document.activeElement.id") == "key"
    page.keyboard.type(scene.workspace.api_key)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Overview").wait_for()
    assert page.evaluate("document.cookie") == "", "no script can read the session"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"


def test_a_page_says_so_when_the_workspace_is_gone(page: Any, wrong: list[str]) -> None:
    page.route("**/*", lambda route: route.abort())
    page.get_by_text("The workspace does not answer").wait_for()
    page.unroute("**/*")
    page.get_by_text("The workspace does not answer").wait_for(state="hidden")
    assert set(wrong) == {"Failed to load resource: net::ERR_FAILED"}
    wrong.clear()


CONTRAST = """() => {
  const channel = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const colour = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0.99) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest(".unseen, .skip, option, optgroup")) continue;
    const [a, b] = [light(colour(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${e.tagName} ${e.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
UNLABELLED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, button, a")]
  .filter(e => !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute("aria-label"))
  .map(e => e.outerHTML)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1180, 390])
def test_every_page_is_readable(page: Any, scene: Scene, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    run = scene.ask("POST", f"projects/{scene.project}/jobs/{scene.job}/runs")["id"]
    job = f"{scene.page}/jobs/{scene.job}"
    paths = ["/", scene.page, f"{scene.page}/applications/{scene.application}", job, f"{job}/runs/{run}"]
    faults = scene.workspace.faults
    with faults.during("rate_limit", path="*/nothing", every=3), faults.during("drop", path="*/no", duration=0):
        for path in [*paths, f"{scene.page}/files/web.py", f"{scene.page}/files/deep", "/console/faults"]:
            page.goto(f"{scene.workspace.host}{path}")
            assert page.evaluate(CONTRAST) == [], path
            assert page.evaluate(UNLABELLED) == [], path
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{path} scrolls sideways"
            assert page.locator("h1").count() == 1, path
            assert page.locator("[style], style").count() == 0, path
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(16, 22, 21)") is (scheme == "dark")


def test_from_the_console_to_an_application_and_by_its_address(chromium: Any, scene: Scene) -> None:
    port = scene.workspace.host.rpartition(":")[2]
    context = chromium.new_context()
    context.set_default_timeout(TIMEOUT)
    page = context.new_page()
    page.goto(f"http://web-x.localhost:{port}/typed?a=b")
    page.get_by_label("API key").fill(scene.workspace.api_key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"http://web-x.localhost:{port}/typed?a=b")
    assert page.evaluate("document.cookie") == ""
    context.clear_cookies(name=f"cai_application_{port}")
    page.goto(f"{scene.workspace.host}{scene.page}/applications/{scene.application}")
    with page.expect_popup() as opened:
        page.get_by_role("link", name=f"web-x.localhost:{port}").click()
    opened.value.wait_for_url(f"http://web-x.localhost:{port}/")
    # From a page of the application to another, once its cookie is gone: a way that begins at another site.
    context.clear_cookies(name=f"cai_application_{port}")
    opened.value.evaluate("location.href = '/linked'")
    opened.value.wait_for_url(f"http://web-x.localhost:{port}/linked")
    context.close()
