"""Parts of files, and whole directories under another path: what followers of logs and `down` ask for."""

from __future__ import annotations

from .conftest import Client


def test_a_part_of_a_file_is_sent_alone(shared: Client, project: str) -> None:
    shared.upload(project, "a/log", "0123456789")
    path = f"projects/{project}/files/a/log:download"
    answer = shared.ask("POST", path, headers={"Range": "bytes=4-"})
    assert (answer.status_code, answer.content) == (206, b"456789")
    assert answer.headers["Content-Range"] == "bytes 4-9/10"
    assert shared.ask("POST", path, headers={"Range": "bytes=10-"}).status_code == 416


def test_a_directory_takes_all_that_is_in_it_along(shared: Client, project: str) -> None:
    shared.upload(project, "a/logs/x.log", "x")
    shared.upload(project, "a/logs/y.log", "y")
    shared.patch(f"projects/{project}/files/a/logs", {"path": "kept/ray"})
    assert shared.names(project, "kept/ray") == ["x.log", "y.log"]
    assert shared.names(project, "a") == []
    shared.upload(project, "a/logs/z.log", "z")
    assert shared.refused("PATCH", f"projects/{project}/files/a/logs", {"path": "kept/ray"})[0] == 409
