"""The door of an application answers JSON, or says why not."""

from __future__ import annotations

import pytest
import requests

from cai_deploy.api.application_http import ApplicationHttp, ApplicationNotAnswering, application_url
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
