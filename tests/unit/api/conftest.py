"""A client whose HTTP is answered by `responses`, and whose waiting is written down instead of done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from cai_deploy.api.client import Client
from cai_deploy.api.transport import Transport

HOST = "https://ml.example.com"
KEY = "k3y-that-nobody-may-see"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def transport(server: responses.RequestsMock, waits: list[float]) -> Transport:
    return Transport(HOST, KEY, sleep=waits.append)


@pytest.fixture
def client(transport: Transport) -> Client:
    return Client(transport)


@pytest.fixture
def api() -> str:
    return f"{HOST}/api/v2"


@pytest.fixture
def key() -> str:
    return KEY
