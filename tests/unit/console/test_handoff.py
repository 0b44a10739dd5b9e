"""From the console's login to an application, and what the cookie for it opens."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlsplit

import pytest
import requests

from cai_deploy.local_workspace.guests import STAYS, TICKET_LIVES, Guests
from cai_deploy.local_workspace.handoff import local_path, without_ours

from .conftest import Scene, Visitor, eventually

BROWSER = {"Accept": "text/html,*/*;q=0.8"}


def knock(
    scene: Scene, path: str = "/", headers: dict[str, str] | None = None, host: str = "web-x.localhost"
) -> requests.Response:
    """A request of no session at the application's own host."""
    port = urlsplit(scene.workspace.host).port
    return requests.get(
        f"{scene.workspace.host}{path}",
        headers={"Host": f"{host}:{port}", **(headers or {})},
        allow_redirects=False,
        timeout=20,
    )


def sent_over(visitor: Visitor, address: str) -> str:
    """The address to which the console sends a browser that came to ``address``."""
    page = visitor.session.get(address, timeout=20)
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
    assert found, page.text
    return unescape(found[1])


def enter(scene: Scene, visitor: Visitor, path: str = "/") -> tuple[requests.Response, str]:
    """Come in; the answer at the entrance, and the Cookie header to show from now on."""
    port = urlsplit(scene.workspace.host).port
    there = sent_over(visitor, knock(scene, path, BROWSER).headers["Location"])
    assert there.startswith(f"http://web-x.localhost:{port}/.workspace/enter?ticket=")
    answer = knock(scene, there.removeprefix(f"http://web-x.localhost:{port}"))
    return answer, answer.headers.get("Set-Cookie", "").partition(";")[0]


def test_a_browser_comes_in_by_the_console(scene: Scene, visitor: Visitor) -> None:
    answer, cookie = enter(scene, visitor, "/a%2Fb?c=d%26e")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/a%2Fb?c=d%26e")
    given = answer.headers["Set-Cookie"]
    assert "HttpOnly" in given
    assert "SameSite=Lax" in given
    assert "Domain" not in given, "it is for this application alone"
    assert scene.workspace.api_key not in given
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    seen = knock(scene, "/seen", {"Cookie": cookie})
    assert (seen.status_code, seen.headers.get("Content-Type")) == (200, None), "as the application answered"
    eventually(lambda: "said /seen" in visitor.get(f"{scene.page}/applications/{scene.application}").text)


def test_a_stranger_is_asked_for_the_key_first(scene: Scene, stranger: Visitor) -> None:
    answer = knock(scene, "/x%2Fy?a=b%26c", BROWSER)
    assert answer.status_code == 303
    asked = stranger.session.get(answer.headers["Location"], timeout=20)
    assert "/login?next=" in asked.url
    form = {"key": scene.workspace.api_key, "next": unescape(re.search(r'name="next" value="([^"]*)"', asked.text)[1])}  # type: ignore[index]
    answer = stranger.post("/login", form, allow_redirects=False)
    assert answer.headers["Location"].startswith("/console/open/web-x/")
    there = sent_over(stranger, f"{scene.workspace.host}{answer.headers['Location']}")
    assert there.endswith("next=%2Fx%252Fy%3Fa%3Db%2526c")


def test_programs_hear_what_they_always_heard(scene: Scene) -> None:
    for headers in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}, {"Authorization": "Bearer wrong"}):
        assert knock(scene, "/", headers).status_code == 401
    assert knock(scene, "/", BROWSER, host="web-x.evil.example").status_code == 401, "no address of another site"
    key = {"Authorization": f"Bearer {scene.workspace.api_key}"}
    assert knock(scene, "/", BROWSER | key).status_code == 200


def test_a_ticket_opens_one_application_once(scene: Scene, visitor: Visitor) -> None:
    there = sent_over(visitor, knock(scene, "/", BROWSER).headers["Location"])
    path = there.partition(".localhost:")[2].partition("/")[2]
    assert "Set-Cookie" in knock(scene, f"/{path}").headers
    assert "Set-Cookie" not in knock(scene, f"/{path}").headers, "it is used"
    assert "Set-Cookie" not in knock(scene, "/.workspace/enter?ticket=guess&next=//evil.example").headers
    assert knock(scene, "/.workspace/enter?next=//evil.example").headers["Location"] == "/"
    assert knock(scene, "/.workspace/enter?next=%2F%5Cevil.example").headers["Location"] == "/"


def test_the_cookie_is_for_the_application_alone(scene: Scene, visitor: Visitor) -> None:
    _, cookie = enter(scene, visitor)
    assert (
        requests.get(
            f"{scene.workspace.host}/", headers={"Cookie": cookie}, allow_redirects=False, timeout=20
        ).status_code
        == 303
    )
    api = f"{scene.workspace.host}/api/v2/projects"
    assert requests.get(api, headers={"Cookie": cookie}, timeout=20).status_code == 401
    console = "; ".join(f"{each.name}={each.value}" for each in visitor.session.cookies)
    assert knock(scene, "/", {"Cookie": console}).status_code == 401, "nor does the console's open an application"


def test_signing_out_shuts_the_applications_too(scene: Scene, visitor: Visitor) -> None:
    _, cookie = enter(scene, visitor)
    assert knock(scene, "/", {"Cookie": cookie}).status_code == 200
    visitor.post("/logout", {"csrf": visitor.csrf()})
    assert knock(scene, "/", {"Cookie": cookie}).status_code == 401


def test_an_application_that_there_is_not(visitor: Visitor) -> None:
    assert visitor.get("/console/open/nothing//").status_code == 404


def test_a_way_that_began_elsewhere_begins_anew(scene: Scene, stranger: Visitor) -> None:
    """The browser leaves the console's strict cookie out then, and would be asked to sign in again."""
    path = "/console/open/web-x/%2F"
    answer = stranger.get(path, headers={"Sec-Fetch-Site": "cross-site"}, allow_redirects=False)
    assert answer.status_code == 200
    assert f"0; url={path}" in answer.text
    assert stranger.get(path, headers={"Sec-Fetch-Site": "same-origin"}, allow_redirects=False).status_code == 303


def test_guests_by_the_clock() -> None:
    now = [0.0]
    guests = Guests(lambda: now[0])
    late = guests.ticket("a", "me")
    now[0] += TICKET_LIVES
    assert guests.enter(late, "a") is None
    assert guests.enter(guests.ticket("a", "me"), "b") is None, "for another application"
    kept = guests.enter(guests.ticket("a", "me"), "a")
    assert kept
    assert guests.knows(kept, "a")
    assert not guests.knows(kept, "b")
    assert not guests.knows("", "a")
    now[0] += STAYS
    assert not guests.knows(kept, "a")


@pytest.mark.parametrize(
    ("shown", "passed"),
    [
        ("a=1; cai_application_80=x; b=2", "a=1; b=2"),
        ("cai_console_80=x", ""),
        ("my_cai_console_=1", "my_cai_console_=1"),
    ],
)
def test_cookies_of_the_workspace_stay_outside(shown: str, passed: str) -> None:
    assert without_ours(shown) == passed


@pytest.mark.parametrize("path", ["//evil", "http://evil", "/\\evil", "/a\nb", "", "a"])
def test_only_paths_of_this_host(path: str) -> None:
    assert local_path(path) == "/"
