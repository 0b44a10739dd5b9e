"""Parts of files, from servers that know ranges and from servers that don't; and new paths."""

from __future__ import annotations

import json

import pytest
import responses

from cai_deploy.api.client import Client
from cai_deploy.api.errors import BadRequest, NotFound
from cai_deploy.errors import ConfigError

PROJECT = "abcd-abcd-abcd-abcd"
CONTENT = b"0123456789"


@pytest.fixture
def file(server: responses.RequestsMock, api: str) -> str:
    return f"{api}/projects/{PROJECT}/files/a%2Flog:download".replace("%2F", "/")


@pytest.mark.parametrize(
    ("start", "answer", "expected"),
    [
        (0, {"body": CONTENT}, CONTENT),
        (4, {"body": CONTENT}, b"456789"),
        (4, {"body": b"456789", "status": 206, "headers": {"Content-Range": "bytes 4-9/10"}}, b"456789"),
        (4, {"body": CONTENT, "status": 206, "headers": {"Content-Range": "bytes 0-9/10"}}, b"456789"),
        (10, {"body": CONTENT}, b""),
        (12, {"status": 416, "json": {"message": "not that long"}}, b""),
    ],
)
def test_a_part_is_a_part_whether_or_not_the_server_cuts_it(
    client: Client, server: responses.RequestsMock, file: str, start: int, answer: dict[str, object], expected: bytes
) -> None:
    server.post(file, **answer)
    assert client.files.download_from(PROJECT, "a/log", start) == expected
    asked = server.calls[0].request.headers.get("Range")
    assert asked == (f"bytes={start}-" if start else None)


def test_other_refusals_are_told(client: Client, server: responses.RequestsMock, file: str) -> None:
    server.post(file, status=404, json={"message": "no such file"})
    with pytest.raises(NotFound):
        client.files.download_from(PROJECT, "a/log", 4)


def test_a_new_path(client: Client, server: responses.RequestsMock, api: str) -> None:
    server.patch(f"{api}/projects/{PROJECT}/files/a/logs", json={"path": "b/kept"})
    client.files.rename(PROJECT, "a/logs", "b/kept")
    assert json.loads(server.calls[0].request.body or b"") == {"path": "b/kept"}
    server.replace(responses.PATCH, f"{api}/projects/{PROJECT}/files/a/logs", status=400, json={"message": "no"})
    with pytest.raises(BadRequest):
        client.files.rename(PROJECT, "a/logs", "b/kept")


@pytest.mark.parametrize("to", ["", "../b", "/b"])
def test_a_new_path_stays_in_the_project(client: Client, to: str) -> None:
    with pytest.raises(ConfigError):
        client.files.rename(PROJECT, "a/logs", to)
