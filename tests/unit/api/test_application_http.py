"""The door of an application answers JSON, or says why not."""

from __future__ import annotations

import pytest
import requests

from cai_deploy.api.application_http import (
    ApplicationHttp,
    ApplicationNotAnswering,
    ApplicationRefused,
    application_url,
)
from cai_deploy.errors import ConfigError

URL = "https://head.ml.example.com/nodes"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("https://ml.example.com/", "https://head.ml.example.com"),
        ("http://localhost:1234", "http://head.localhost:1234"),
        ("http://127.0.0.1:1234", "http://head.localhost:1234"),
    ],
)
def test_application_url(host, expected):
    assert application_url(host, "head") == expected


@pytest.mark.parametrize("bad", ["", "evil.com/", "A", "a--b", "a.b"])
def test_the_key_goes_to_subdomains_only(bad):
    with pytest.raises(ConfigError):
        application_url("ml.example.com", bad)


def test_json_comes_back_and_the_key_goes_out(server, key):
    server.get(URL, json={"nodes": []})
    assert ApplicationHttp("ml.example.com", key).get_json("head", "/nodes") == {"nodes": []}
    assert server.calls[0].request.headers["Authorization"] == f"Bearer {key}"


def test_a_token_goes_beside_the_key(server, key):
    server.get(URL, json={})
    ApplicationHttp("ml.example.com", key).get_json("head", "/nodes", token="a1")
    assert server.calls[0].request.headers["Authorization"] == f"Bearer {key}"
    assert server.calls[0].request.headers["X-Ray-Authorization"] == "Bearer a1"


@pytest.mark.parametrize(
    ("host", "connects_to", "is_called"),
    [
        ("https://ml.example.com", "https://head.ml.example.com", "https://head.ml.example.com"),
        ("http://localhost:1234", "http://127.0.0.1:1234", "http://head.localhost:1234"),
        ("http://localhost", "http://127.0.0.1", "http://head.localhost"),
    ],
)
def test_another_client_gets_an_address_that_resolves_and_all_that_we_show(host, connects_to, is_called, key):
    access = ApplicationHttp(host, key).access("head", "a1")
    assert (access.base_url, access.url) == (connects_to, is_called)
    assert access.websocket_url == connects_to.replace("http", "ws", 1)
    assert access.headers["Authorization"] == f"Bearer {key}"
    assert access.headers["X-Ray-Authorization"] == "Bearer a1"
    assert ("Host" in access.headers) == (connects_to != is_called)
    assert key not in repr(access)
    assert "a1" not in repr(access)


def test_without_a_token_none_is_shown(key):
    assert "X-Ray-Authorization" not in ApplicationHttp("ml.example.com", key).access("head").headers


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in_is_told_apart(server, key, status):
    server.get(URL, status=status)
    with pytest.raises(ApplicationRefused, match="does not let us in") as caught:
        ApplicationHttp("ml.example.com", key).get_json("head", "/nodes", token="a1")
    assert "a1" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"body": requests.ConnectionError("x")}, "no connection"),
        ({"status": 503}, "status 503"),
        ({"status": 302, "headers": {"Location": "https://ml.example.com/login"}}, "login"),
        ({"body": "<html></html>"}, "login"),
        ({"json": [1]}, "not an object"),
    ],
)
def test_anything_else_is_not_answering_and_is_asked_once(server, key, answer, why):
    server.get(URL, **answer)
    with pytest.raises(ApplicationNotAnswering, match=why) as caught:
        ApplicationHttp("ml.example.com", key).get_json("head", "/nodes")
    assert len(server.calls) == 1
    assert key not in f"{caught.value!r} {caught.value}"
