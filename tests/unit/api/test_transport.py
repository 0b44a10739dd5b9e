"""Retries, errors and what must never be in them."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
import requests
import responses

from cai_deploy.api.errors import (
    AccessRefused,
    ApiError,
    BadRequest,
    Conflict,
    NotFound,
    RateLimited,
    ServerError,
    UnreadableAnswer,
)
from cai_deploy.api.patience import LONGEST_REFUSAL, LONGEST_WAIT
from cai_deploy.api.schemas import CreateProjectRequest
from cai_deploy.api.transport import Transport
from cai_deploy.errors import AuthenticationError, ConfigError, PlaceUnreachable


@pytest.mark.parametrize("fault", [408, 429, 500, 502, 503, requests.ConnectionError("x"), requests.ReadTimeout("x")])
def test_a_read_is_tried_again(server, transport, api, waits, fault):
    if isinstance(fault, int):
        server.get(f"{api}/projects/p", status=fault)
    else:
        server.get(f"{api}/projects/p", body=fault)
    server.get(f"{api}/projects/p", json={"id": "p"})
    assert transport.read("projects/p") == {"id": "p"}
    assert len(server.calls) == 2
    assert len(waits) == 1


def test_reads_end_after_four_attempts_with_growing_waits(server, transport, api, waits):
    server.get(f"{api}/projects", status=503)
    with pytest.raises(ServerError):
        transport.read("projects")
    assert len(server.calls) == 4
    assert waits == sorted(waits)
    assert waits[-1] > waits[0] >= 0.5


def test_a_download_is_a_read_although_it_is_a_post(server, client, api):
    server.post(f"{api}/projects/p/files/a.bin:download", status=502)
    server.post(f"{api}/projects/p/files/a.bin:download", body=b"\x00\xff")
    assert client.files.download("p", "a.bin") == b"\x00\xff"
    assert server.calls[1].request.headers["Accept"] == "*/*"


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("PATCH", 4), ("DELETE", 4)])
def test_only_what_comes_to_the_same_is_sent_again(server, transport, api, method, times):
    server.add(method, f"{api}/things", status=503)
    with pytest.raises(ServerError):
        transport.write(method, "things")
    assert len(server.calls) == times


def test_a_post_that_comes_to_the_same_is_sent_again(server, transport, api):
    server.post(f"{api}/things/t:restart", status=503)
    server.post(f"{api}/things/t:restart", json={"id": "t"})
    assert transport.write("POST", "things/t:restart", repeatable=True) == {"id": "t"}


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_what_was_refused_as_one_too_many_was_not_done_and_is_sent_again(server, transport, api, waits, method):
    for _ in range(9):
        server.add(method, f"{api}/things", status=429, headers={"Retry-After": "2"})
    server.add(method, f"{api}/things", json={"id": "t"})
    told = transport.read("things") if method == "GET" else transport.write(method, "things")
    assert told == {"id": "t"}
    assert waits == [2.0] * 9


def test_a_workspace_that_lets_nothing_through_is_given_up_once(server, transport, api, waits):
    server.get(f"{api}/things", status=429, headers={"Retry-After": "30"})
    with pytest.raises(RateLimited):
        transport.read("things")
    assert sum(waits) == LONGEST_REFUSAL


def test_refusals_narrow_the_calls_in_flight_and_answers_widen_them_again(server, transport, api):
    server.get(f"{api}/things", status=429)
    server.get(f"{api}/things", json={})
    transport.read("things")
    assert transport._limiter.allowed == 5
    for _ in range(4 + 6):
        transport.read("things")
    assert transport._limiter.allowed == 7


def test_whoever_waits_to_send_again_is_in_nobodys_way(server, api):
    def nap(_):
        assert transport._limiter.allowed == 1
        with transport._limiter.slot():  # would hang if the waiting held the one slot that there is
            pass

    transport = Transport("ml.example.com", "key", parallelism=1, sleep=nap)
    server.get(f"{api}/things", status=429)
    server.get(f"{api}/things", status=503)
    server.get(f"{api}/things", json={"id": "t"})
    assert transport.read("things") == {"id": "t"}


def test_as_many_connections_are_kept_as_there_may_be_calls():
    transport = Transport("ml.example.com", "key", parallelism=37)
    assert transport._wire.get_adapter("https://ml.example.com")._pool_maxsize == 37


def test_no_calls_at_once_are_refused():
    with pytest.raises(ConfigError, match="none at all"):
        Transport("ml.example.com", "key", parallelism=0)


@pytest.mark.parametrize("status", [200, 404])
def test_the_time_is_the_workspaces(server, transport, api, status):
    before = time.time()
    assert before <= transport.server_time() <= time.time()
    server.get(f"{api}/things", json={}, status=status, headers={"Date": "Sat, 01 Jan 2000 00:00:00 GMT"})
    with contextlib.suppress(NotFound):
        transport.read("things")
    assert 946684800 <= transport.server_time() < 946684801


def test_retry_after_in_seconds_is_honoured_up_to_a_limit(server, transport, api, waits):
    server.get(f"{api}/projects", status=429, headers={"Retry-After": "7"})
    server.get(f"{api}/projects", status=503, headers={"Retry-After": "86400"})
    server.get(f"{api}/projects", json={})
    transport.read("projects")
    assert waits == [7.0, LONGEST_WAIT]


def test_retry_after_as_a_date_is_honoured(server, transport, api, waits):
    soon = datetime.now(timezone.utc) + timedelta(seconds=20)
    server.get(f"{api}/projects", status=503, headers={"Retry-After": format_datetime(soon, usegmt=True)})
    server.get(f"{api}/projects", json={})
    transport.read("projects")
    assert 15 < waits[0] <= 20


def test_retry_after_that_makes_no_sense_is_left_aside(server, transport, api, waits):
    server.get(f"{api}/projects", status=503, headers={"Retry-After": "soon"})
    server.get(f"{api}/projects", json={})
    transport.read("projects")
    assert 0.5 <= waits[0] <= 2


@pytest.mark.parametrize(
    ("status", "kind", "fault", "retry_helps"),
    [
        (400, BadRequest, "caller", False),
        (401, AccessRefused, "caller", False),
        (403, AccessRefused, "caller", False),
        (404, NotFound, "caller", False),
        (409, Conflict, "caller", False),
        (418, ApiError, "caller", False),
        (429, RateLimited, "platform", True),
        (500, ServerError, "platform", True),
    ],
)
def test_each_status_has_its_class(server, transport, api, status, kind, fault, retry_helps):
    server.post(
        f"{api}/things",
        status=status,
        json={"error": "other words", "code": 7, "message": "the words"},
        headers={"x-request-id": "r-1"},
    )
    with pytest.raises(ApiError) as caught:
        transport.write("POST", "things")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.request_id, error.message) == (status, 7, "r-1", "the words")
    assert (error.method, error.path) == ("POST", "/api/v2/things")
    assert (error.fault, error.retry_helps) == (fault, retry_helps)
    assert "r-1" in str(error)
    assert error.next_step


def test_refused_access_is_an_authentication_error_with_its_exit_code(server, transport, api):
    server.get(f"{api}/projects", status=403, json={"error": "audience mismatch"})
    with pytest.raises(AuthenticationError, match="audience mismatch") as caught:
        transport.read("projects")
    assert caught.value.exit_code == 4
    assert len(server.calls) == 1


def test_a_page_from_a_proxy_is_named_instead_of_shown(server, transport, api):
    server.post(f"{api}/things", status=502, body="<html>Bad Gateway</html>", content_type="text/html")
    with pytest.raises(ServerError, match="an HTML page from a proxy") as caught:
        transport.write("POST", "things")
    assert "Bad Gateway" not in str(caught.value)


def test_success_with_a_page_is_no_success(server, transport, api):
    server.get(f"{api}/projects", body="<html>log in</html>")
    with pytest.raises(UnreadableAnswer, match="login"):
        transport.read("projects")


def test_redirects_are_not_followed(server, transport, api):
    server.get(f"{api}/projects", status=302, headers={"Location": "https://login.example.com/"})
    server.get("https://login.example.com/", json={})
    with pytest.raises(ApiError):
        transport.read("projects")
    assert len(server.calls) == 1


@pytest.mark.parametrize("fault", [requests.ConnectionError("refused"), requests.ConnectTimeout("late")])
def test_no_answer_is_place_unreachable(server, transport, api, fault):
    server.get(f"{api}/projects", body=fault)
    with pytest.raises(PlaceUnreachable) as caught:
        transport.read("projects")
    assert caught.value.exit_code == 5
    assert len(server.calls) == 4


def test_a_certificate_that_is_not_trusted_is_not_tried_again(server, transport, api):
    server.get(f"{api}/projects", body=requests.exceptions.SSLError("bad"))
    with pytest.raises(PlaceUnreachable, match="certificate") as caught:
        transport.read("projects")
    assert len(server.calls) == 1
    assert "REQUESTS_CA_BUNDLE" in caught.value.next_step


def test_the_key_is_sent_and_never_told(server, transport, api, key):
    server.post(f"{api}/things", status=400, json={"message": f"bad Authorization: Bearer {key}"})
    with pytest.raises(BadRequest) as caught:
        transport.write("POST", "things")
    assert server.calls[0].request.headers["Authorization"] == f"Bearer {key}"
    told = f"{caught.value} {caught.value!r} {vars(caught.value)} {transport!r}"
    assert key not in told
    assert "bad Authorization" in told


def test_netrc_does_not_replace_the_key(server, transport, api, key, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine ml.example.com login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.get(f"{api}/projects", json={})
    transport.read("projects")
    assert server.calls[0].request.headers["Authorization"] == f"Bearer {key}"


@pytest.mark.parametrize("bad", ["", " \n", "two words", "line\nbreak", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_without_being_shown(bad):
    with pytest.raises(AuthenticationError) as caught:
        Transport("ml.example.com", bad)
    assert not bad.strip() or bad not in str(caught.value)


def test_timeouts_fit_the_kind_of_call(server, client, api):
    server.get(f"{api}/projects", json={})
    server.post(f"{api}/projects", json={"id": "p"})
    server.delete(f"{api}/projects/p/files/a", json={})
    server.post(f"{api}/projects/p/files")
    client.projects.list()
    client.projects.create(CreateProjectRequest(name="n"))
    client.files.upload("p", "a", b"")
    assert [call.request.req_kwargs["timeout"] for call in server.calls] == [30, 120, 30, 60]


@pytest.mark.parametrize(
    ("explicit", "environment", "expected"),
    [
        (None, {}, True),
        (None, {"SSL_CERT_FILE": "b"}, "b"),
        (None, {"REQUESTS_CA_BUNDLE": "a", "SSL_CERT_FILE": "b"}, "a"),
        ("c", {"REQUESTS_CA_BUNDLE": "a"}, "c"),
    ],
)
def test_a_private_ca_is_found(server, api, tmp_path, monkeypatch, explicit, environment, expected):
    for name in "abc":
        (tmp_path / name).write_text("")
    for variable, name in environment.items():
        monkeypatch.setenv(variable, str(tmp_path / name))
    server.get(f"{api}/projects", json={})
    Transport("ml.example.com", "key", ca_bundle=explicit and str(tmp_path / explicit)).read("projects")
    wanted = expected if expected is True else str(tmp_path / expected)
    assert server.calls[0].request.req_kwargs["verify"] == wanted


def test_a_ca_bundle_that_is_not_there_is_a_config_error():
    with pytest.raises(ConfigError, match="nowhere"):
        Transport("ml.example.com", "key", ca_bundle="/nowhere/ca.pem")


def test_cookies_are_not_kept(server: responses.RequestsMock, transport, api):
    server.get(f"{api}/projects", json={}, headers={"Set-Cookie": "session=1"})
    transport.read("projects")
    transport.read("projects")
    assert "Cookie" not in server.calls[1].request.headers
