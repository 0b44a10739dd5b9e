"""The cluster's token: made once, closed to others, handed on by its path."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from cai_deploy.node import token
from cai_deploy.node.token import NoToken, create_token, read_token, use_token, wait_for_token


def test_it_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "clusters/ray/token"
    assert read_token(path) == ""
    create_token(path)
    made = read_token(path)
    assert len(made) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    create_token(path)
    assert (read_token(path), path.stat().st_mode & 0o777) == (made, 0o600)
    assert list(path.parent.iterdir()) == [path]


def test_heads_that_make_it_at_once_have_the_same(tmp_path: Path) -> None:
    path = tmp_path / "token"
    seen: set[str] = set()
    together = threading.Barrier(8)

    def head() -> None:
        together.wait()
        create_token(path)
        seen.add(read_token(path))

    heads = [threading.Thread(target=head) for _ in range(8)]
    for each in heads:
        each.start()
    for each in heads:
        each.join()
    assert seen == {path.read_text()}


def test_an_empty_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    create_token(tmp_path / "token")
    assert len(read_token(tmp_path / "token")) == 64


def test_without_hard_links_it_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    create_token(tmp_path / "token")
    assert len(read_token(tmp_path / "token")) == 64


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(NoToken) as caught:
        read_token(tmp_path / "token")
    assert "cannot be read" in caught.value.what


def test_a_worker_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    threading.Timer(0.2, create_token, [tmp_path / "token"]).start()
    wait_for_token(tmp_path / "token", stop)
    assert read_token(tmp_path / "token")
    monkeypatch.setattr(token, "PATIENCE", 0.0)
    with pytest.raises(NoToken):
        wait_for_token(tmp_path / "nothing", stop)
    stop.set()
    wait_for_token(tmp_path / "nothing", stop)


def test_ray_is_told_where_it_is_and_nothing_else_counts(tmp_path: Path) -> None:
    environ = {"RAY_AUTH_TOKEN": "another", "HOME": "/h"}
    use_token(tmp_path / "token", environ)
    assert environ == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token"), "HOME": "/h"}
    use_token(None, environ)
    assert environ == {"RAY_AUTH_MODE": "disabled", "HOME": "/h"}
