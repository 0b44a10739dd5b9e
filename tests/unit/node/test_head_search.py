"""How a worker finds its head."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cai_deploy import connection
from cai_deploy.connection import ConnectionInfo
from cai_deploy.node.head_search import NoHead, find_head, look


def info(address: str, epoch: int = 1) -> ConnectionInfo:
    return ConnectionInfo("ray", epoch, "127.0.0.1", address, "", "", "", "2.60.0", "3.11.7", "")


@pytest.fixture
def gcs() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def search(file: Path, timeout: float = 10.0, given: str = "", told: list[str] | None = None) -> str:
    return find_head(given, file, timeout, (told if told is not None else []).append, lambda: False)


def test_a_head_that_is_there(tmp_path: Path, gcs: str) -> None:
    connection.write(tmp_path / "c.json", info(gcs))
    assert search(tmp_path / "c.json") == gcs


def test_a_head_that_comes_later(tmp_path: Path, gcs: str) -> None:
    writer = threading.Timer(0.3, connection.write, (tmp_path / "c.json", info(gcs)))
    writer.start()
    assert search(tmp_path / "c.json") == gcs
    writer.join()


def test_a_file_of_a_head_that_is_gone_is_waited_out(tmp_path: Path, gcs: str) -> None:
    file = tmp_path / "c.json"
    connection.write(file, info("127.0.0.1:1"))
    writer = threading.Timer(0.3, connection.write, (file, info(gcs, epoch=2)))
    writer.start()
    assert search(file) == gcs
    writer.join()


def test_an_address_that_was_given_needs_no_file(tmp_path: Path, gcs: str) -> None:
    assert search(tmp_path / "none.json", given=gcs) == gcs


def test_no_head_in_time_says_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    with pytest.raises(NoHead) as caught:
        search(file, timeout=0.2)
    assert str(caught.value) == f"no head after 0 seconds: {file} is not there yet"


def test_half_a_file_is_a_story_and_not_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text('{"version": 1, "clus')
    address, story = look("", file)
    assert address == ""
    assert "is not readable" in story


def test_told_to_stop_it_stops_looking(tmp_path: Path) -> None:
    assert find_head("", tmp_path / "c.json", 60, print, lambda: True) == ""
