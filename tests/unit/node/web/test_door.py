"""The door of the head's HTTP port, as browsers, programs and pages of others meet it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from cai_deploy.node.web.door import MOST_WRONG, WRONG_COSTS, local_path
from cai_deploy.node.web.guard import Guard
from tests.unit.node.web.test_gateway import gateway

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
COOKIE = {"Cookie": "ray-authentication-token=right"}
FACTS = {
    "cluster": "ray",
    "epoch": 1,
    "ray_version": "2.60.0",
    "python_version": "3.11.7",
    "started_at": "2026-01-01T00:00:00+00:00",
    "client_address": "",
    "token_path": "",
    "authority_path": "",
    "now": "2026-01-01T00:00:00+00:00",
    "answers": True,
    "nodes": [],
    "jobs": [],
    "events": [],
    "serve": {},
}


@asynccontextmanager
async def door() -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    async with gateway(guard=Guard("right"), overview=lambda: FACTS) as both:
        yield both


def run(check: Callable[[aiohttp.ClientSession, str], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with door() as (client, url):
            await check(client, url)

    asyncio.run(whole())


def test_a_browser_is_asked_for_the_token_and_led_back() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        answer = await client.get(URL(f"{url}/serve/x?y=%2F&z", encoded=True), headers=BROWSER)
        assert (answer.status, answer.content_type) == (401, "text/html")
        following = re.search(r'name="next" value="([^"]*)"', await answer.text())
        assert following
        assert following[1] == "/serve/x?y=%2F&amp;z"
        own = {**BROWSER, "Origin": url}
        form = {"token": " right\n", "next": "/serve/x?y=%2F&z"}
        answer = await client.post(f"{url}/cai-deploy/sign-in", data=form, headers=own, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/serve/x?y=%2F&z")
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("ray-authentication-token=right;")
        for attribute in ("HttpOnly", "SameSite=Lax", "Path=/"):
            assert attribute in cookie
        assert "Secure" not in cookie
        assert "Domain" not in cookie
        assert (await client.get(f"{url}/", headers=BROWSER | COOKIE)).status == 200
        assert (await client.get(f"{url}/dashboard/", headers=BROWSER | COOKIE)).status == 201

    run(check)


def test_behind_https_the_cookie_is_for_https_alone() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        told = {"Origin": "https://head.example", "X-Forwarded-Host": "head.example", "X-Forwarded-Proto": "https"}
        form = {"token": "right"}
        answer = await client.post(f"{url}/cai-deploy/sign-in", data=form, headers=told, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert "Secure" in answer.headers["Set-Cookie"]

    run(check)


def test_a_wrong_token_is_said_and_costs_time() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        began = time.monotonic()
        form = {"token": "a-guess", "next": "/serve/"}
        answer = await client.post(f"{url}/cai-deploy/sign-in", data=form, headers={"Origin": url})
        text = await answer.text()
        assert (answer.status, answer.headers.get("Set-Cookie")) == (401, None)
        assert "This is not the token." in text
        assert 'value="/serve/"' in text
        assert "a-guess" not in text
        assert time.monotonic() - began >= WRONG_COSTS

    run(check)


def test_guessing_in_parallel_does_not_help_and_harms_nobody() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        async def guess() -> int:
            async with client.get(f"{url}/api/version", headers={"X-Ray-Authorization": "Bearer wrong"}) as answer:
                return answer.status

        guesses = [asyncio.create_task(guess()) for _ in range(MOST_WRONG * 3)]
        answer = await client.get(f"{url}/api/version", headers={"X-Ray-Authorization": "Bearer right"})
        assert answer.status == 201
        told = await asyncio.gather(*guesses)
        assert set(told) == {401, 429}
        assert told.count(401) >= MOST_WRONG

    run(check)


@pytest.mark.parametrize(
    "sender",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_what_a_cookie_opens_is_open_to_our_own_pages_alone(sender: dict[str, str]) -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        for method, path in (("POST", "/serve/x"), ("DELETE", "/api/jobs/1"), ("PUT", "/dashboard/x")):
            assert (await client.request(method, f"{url}{path}", headers=COOKIE | sender)).status == 403, path
            right = {"X-Ray-Authorization": "Bearer right"}
            assert (await client.request(method, f"{url}{path}", headers=right | sender)).status == 201, path
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(f"{url}/shout", headers=COOKIE | sender)
        assert refused.value.status == 403
        form = {"token": "right"}
        answer = await client.post(f"{url}/cai-deploy/sign-in", data=form, headers=sender, allow_redirects=False)
        assert (answer.status, answer.headers.get("Set-Cookie")) == (403, None)
        answer = await client.post(f"{url}/cai-deploy/sign-out", headers=COOKIE | sender, allow_redirects=False)
        assert answer.status == 403

    run(check)


def test_our_own_pages_may_post() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        for sender in ({"Origin": url}, {"Sec-Fetch-Site": "same-origin"}):
            assert (await client.post(f"{url}/serve/x", headers=COOKIE | sender)).status == 201
            async with client.ws_connect(f"{url}/shout", headers=COOKIE | sender) as joined:
                await joined.send_str("a")
                assert (await joined.receive(timeout=5)).data == "A"

    run(check)


def test_what_changes_the_cluster_is_for_programs_alone() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        sender = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
        answer = await client.post(f"{url}/cai-deploy/drain", json={}, headers=COOKIE | sender)
        assert answer.status == 401, "a page that Serve serves has the same origin"
        answer = await client.post(f"{url}/cai-deploy/drain", json={}, headers={"X-Ray-Authorization": "Bearer right"})
        assert answer.status == 200

    run(check)


def test_the_way_out() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        answer = await client.get(f"{url}/cai-deploy/sign-out", headers=BROWSER | COOKIE, allow_redirects=False)
        assert "Set-Cookie" not in answer.headers, "a link must not sign anybody out"
        sent = COOKIE | {"Origin": url}
        answer = await client.post(f"{url}/cai-deploy/sign-out", headers=sent, allow_redirects=False)
        assert answer.status == 303
        assert answer.headers["Set-Cookie"].startswith('ray-authentication-token=""; ')

    run(check)


@pytest.mark.parametrize("path", ["/api/authenticate", "/dashboard/api/authenticate"])
def test_the_dashboards_own_dialog(path: str) -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        https = {"X-Forwarded-Proto": "https"}
        for shown, status in ((None, 401), ("Bearer wrong", 403), ("Bearer right", 200)):
            headers = https | ({"Authorization": shown} if shown else {})
            answer = await client.post(f"{url}{path}", headers=headers)
            assert answer.status == status
            assert ("Set-Cookie" in answer.headers) is (status == 200)
        assert "Secure" in answer.headers["Set-Cookie"]

    run(check)


def test_head_of_the_form_has_no_body() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        answer = await client.head(f"{url}/", headers=BROWSER)
        assert (answer.status, await answer.read()) == (401, b"")

    run(check)


def test_large_forms_and_headers_are_refused() -> None:
    async def check(client: aiohttp.ClientSession, url: str) -> None:
        form = {"token": "x" * 100_000}
        answer = await client.post(f"{url}/cai-deploy/sign-in", data=form, headers={"Origin": url})
        assert answer.status == 413
        answer = await client.get(f"{url}/healthz", headers={"X-Long": "x" * 100_000})
        assert answer.status == 400

    run(check)


def test_a_cluster_without_a_token_has_no_door() -> None:
    async def check() -> None:
        async with gateway(overview=lambda: FACTS) as (client, url):
            answer = await client.get(f"{url}/", headers=BROWSER)
            assert answer.status == 200
            assert "Sign out" not in await answer.text()

    asyncio.run(check())


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/a?b=c", "/a?b=c"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\r\nSet-Cookie: a=b", "/"),
        ("/ä", "/"),
        ("", "/"),
    ],
)
def test_only_paths_of_this_host_follow(path: str, kept: str) -> None:
    assert local_path(path) == kept
