"""Which headers go on, and which come back."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from cai_deploy.node.web.guard import Guard
from cai_deploy.node.web.headers import (
    Sender,
    answer_headers,
    is_websocket,
    ray_headers,
    served_headers,
    without_cookie,
)

SENDER = Sender("10.0.0.9", "http", "/serve")
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix")


def own(headers: CIMultiDict[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name not in FORWARDED]


@pytest.mark.parametrize(
    ("headers", "passed"),
    [
        ([("Host", "a"), ("Connection", "keep-alive"), ("X-A", "1")], [("X-A", "1")]),
        (
            [("Connection", "close, x-secret"), ("X-Secret", "1"), ("X-A", "1"), ("X-A", "2")],
            [("X-A", "1"), ("X-A", "2")],
        ),
        ([("Authorization", "Bearer ray")], [("Authorization", "Bearer ray")]),
        (
            [("Authorization", "Bearer key"), ("X-Ray-Authorization", "Bearer ray")],
            [("X-Ray-Authorization", "Bearer ray")],
        ),
        ([("Content-Length", "3"), ("Expect", "100-continue")], [("Content-Length", "3")]),
    ],
)
def test_to_ray(headers: list[tuple[str, str]], passed: list[tuple[str, str]]) -> None:
    assert own(ray_headers(CIMultiDict(headers), Guard("ray"), SENDER)) == passed


def test_an_application_never_sees_what_opens_the_cluster() -> None:
    sent = CIMultiDict(
        [
            ("Host", "head.example"),
            ("Authorization", "Bearer key"),
            ("X-Ray-Authorization", "Bearer ray"),
            ("Cookie", "a=1; ray-authentication-token=ray; b=2"),
            ("Cookie", "ray-authentication-token=ray"),
            ("Accept", "*/*"),
        ]
    )
    assert own(served_headers(sent, SENDER)) == [("Host", "head.example"), ("Accept", "*/*"), ("Cookie", "a=1; b=2")]


def test_who_asked_is_told() -> None:
    passed = served_headers(CIMultiDict({"Host": "head.example"}), SENDER)
    assert [passed[name] for name in FORWARDED] == ["10.0.0.9", "head.example", "http", "/serve"]
    before = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "outside", "X-Forwarded-Proto": "https"}
    passed = served_headers(CIMultiDict(before), SENDER)
    assert [passed[name] for name in FORWARDED] == ["1.2.3.4, 10.0.0.9", "outside", "https", "/serve"]


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/x?y=1", "/serve/x?y=1"),
        ("http://head.example/x/", "/serve/x/"),
        ("https://head.example", "/serve"),
        ("x", "x"),
        ("https://elsewhere.example/x", "https://elsewhere.example/x"),
        ("//elsewhere.example/x", "//elsewhere.example/x"),
        ("mailto:a@b", "mailto:a@b"),
    ],
)
def test_where_an_answer_leads(location: str, leads_to: str) -> None:
    answer = CIMultiDict({"Location": location, "Service-Worker-Allowed": "/", "Transfer-Encoding": "chunked"})
    assert dict(answer_headers(answer, "/serve", ["head.example"])) == {"Location": leads_to}
    assert answer_headers(answer, "", ["head.example"])["Location"] == location


def test_all_cookies_come_back() -> None:
    answer = CIMultiDict([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    assert answer_headers(answer, "/serve", []).getall("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket"}, True),
        ({"Upgrade": "websocket"}, False),
        ({"Connection": "upgrade", "Upgrade": "h2c"}, False),
        ({}, False),
    ],
)
def test_websockets(headers: dict[str, str], wanted: bool) -> None:
    assert is_websocket(CIMultiDict(headers)) is wanted


@pytest.mark.parametrize(
    ("cookies", "left"), [("a=1", "a=1"), ("t=1", ""), ("t=1;a=t=1; t ", "a=t=1"), ("tt=1", "tt=1")]
)
def test_without_a_cookie(cookies: str, left: str) -> None:
    assert without_cookie(cookies, "t") == left
