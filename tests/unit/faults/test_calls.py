"""Spoiled calls, as a client sees them."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests

from cai_deploy.errors import ConfigError

from .conftest import Client, eventually

PROJECTS = "/api/v2/projects"
NEW = {"method": "POST", "path": PROJECTS}


def create(client: Client) -> requests.Response:
    return client.ask("POST", "projects", {"name": "made"})


@pytest.mark.parametrize(
    ("kind", "status", "code", "message", "made"),
    [
        ("error_before", 500, 13, "internal error", []),
        ("error_after", 500, 13, "internal error", ["made"]),
        ("rate_limit", 429, 8, "too many requests", []),
        ("unauthorized", 401, 16, "the API key is missing or not valid", []),
        ("forbidden", 403, 7, "not authorized to perform this operation", []),
    ],
)
def test_refusals(client: Client, kind: str, status: int, code: int, message: str, made: list[str]) -> None:
    client.faults.add(kind, **NEW)
    answer = create(client)
    assert answer.status_code == status
    assert answer.json() == {"error": message, "code": code, "message": message, "details": []}
    assert client.project_names() == made


def test_a_rate_limit_says_when_to_come_back(client: Client) -> None:
    client.faults.add("rate_limit", **NEW, retry_after=7, count=1)
    assert create(client).headers["Retry-After"] == "7"
    assert create(client).status_code == 200


def test_a_proxy_answers_with_html(client: Client) -> None:
    client.faults.add("html_502", **NEW)
    answer = create(client)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (502, "text/html")
    assert "502 Bad Gateway" in answer.text
    assert client.project_names() == []


@pytest.mark.parametrize(("kind", "made"), [("drop", []), ("drop_after", ["made"])])
def test_a_connection_closes_with_no_answer(client: Client, kind: str, made: list[str]) -> None:
    client.faults.add(kind, **NEW, count=1)
    with pytest.raises(requests.ConnectionError):
        create(client)
    assert client.project_names() == made
    assert create(client).status_code == 200
    assert "Traceback" not in client.workspace.logs()


def test_the_gateway_gives_up_while_the_work_goes_on(client: Client) -> None:
    client.faults.add("cut_off", **NEW, delay=0.05, lag=0.4)
    begun = time.monotonic()
    answer = create(client)
    assert time.monotonic() - begun < 0.4
    assert (answer.status_code, answer.json()["message"]) == (500, "context deadline exceeded")
    assert answer.headers["x-envoy-upstream-service-time"] == "50"
    assert client.project_names() == [], "the work is still under way"
    eventually(lambda: client.project_names() == ["made"])


def test_an_upload_that_was_cut_off_arrives(client: Client) -> None:
    project = client.project()
    client.faults.add("cut_off", path="*/files", delay=0.2, count=1)
    answer = client.ask("POST", f"{project}/files", files={"a.bin": ("a.bin", b"x" * 300_000)})
    assert answer.status_code == 500
    entries = eventually(lambda: client.good("GET", f"{project}/files")["files"])
    assert entries == [{"path": "a.bin", "is_dir": False, "file_size": "300000"}]


@pytest.mark.parametrize(("kind", "made"), [("slow", []), ("slow_after", ["made"])])
def test_a_slow_call_can_be_caught_in_its_midst(client: Client, kind: str, made: list[str]) -> None:
    fault = client.faults.add(kind, **NEW, delay=0.5)
    answers: list[int] = []
    other = threading.Thread(target=lambda: answers.append(create(client).status_code))
    other.start()
    client.faults.wait_until_fired(fault.id)
    session = Client(client.workspace)
    eventually(lambda: session.project_names() == made, seconds=0.3)
    assert answers == []
    other.join(10)
    assert answers == [200]
    assert session.project_names() == ["made"]


def test_rules_count_and_calls_are_counted(client: Client) -> None:
    fault = client.faults.add("error_before", **NEW, every=2, count=2)
    assert [create(client).status_code for _ in range(6)] == [200, 500, 200, 500, 200, 200]
    client.good("GET", f"projects/{client.good('GET', 'projects')['projects'][0]['id']}")
    shown = next(each for each in client.faults.all() if each.id == fault.id)
    assert (shown.kind, shown.seen, shown.fired) == ("error_before", 6, 2)
    calls = client.faults.calls()
    assert calls["POST", PROJECTS] == 6
    assert calls["GET", f"{PROJECTS}/{{project_id}}"] == 1
    client.faults.clear()
    assert (client.faults.all(), client.faults.calls()) == ([], {})


def test_a_rule_for_a_while(client: Client) -> None:
    with client.faults.during("error_before", **NEW):
        assert create(client).status_code == 500
    assert create(client).status_code == 200


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [({"kind": "nonsense"}, "kind is one of"), ({"kind": "drop", "retries": 3}, "unknown: retries")],
)
def test_what_is_no_rule_is_refused(client: Client, rule: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        client.faults.add(**rule)
    with pytest.raises(ConfigError, match="fault fault-0"):
        client.faults.remove("fault-0")


def test_the_endpoint_wants_the_key_and_is_never_spoiled(client: Client) -> None:
    address = f"{client.workspace.host}/local/v1/faults"
    for method in ("GET", "POST", "DELETE"):
        assert requests.request(method, address, timeout=10).status_code == 401
    client.faults.add("drop")
    assert len(client.faults.all()) == 1
    client.faults.clear()
    assert client.project_names() == []


def test_settings_are_strict(client: Client) -> None:
    assert client.workspace.settings(stop_grace=1)["stop_grace"] == 1.0
    with pytest.raises(ConfigError, match="there is no setting 'grace'"):
        client.workspace.settings(grace=1)
    with pytest.raises(ConfigError, match="setting 'stop_grace': '1' is not allowed"):
        client.workspace.settings(stop_grace="1")
    assert client.workspace.settings(stop_grace=0.5)["stop_grace"] == 0.5
