"""The head's door is opened with the token of the project, and with the newer one when that was refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from cai_deploy.access import NoAnswer, NotLetIn
from cai_deploy.places.token_door import Doors, TokenDoor


class Http:
    """A head that lets those in who show ``right``."""

    def __init__(self, right: str) -> None:
        self.right = right
        self.shown: list[str] = []

    def get_json(self, subdomain: str, path: str, *, token: str) -> dict[str, Any]:
        self.shown.append(token)
        if token != self.right:
            raise NotLetIn("no")
        return {"at": f"{subdomain}{path}"}

    def post_json(self, subdomain: str, path: str, body: Any, *, token: str) -> dict[str, Any]:
        return {**self.get_json(subdomain, path, token=token), "body": body}


def opened(http: Http, *tokens: str) -> tuple[TokenDoor, Iterator[str]]:
    door, left = TokenDoor(cast(Doors, http), learnt=list), iter(tokens)
    door.opens_with("head", lambda: next(left))
    return door, left


def test_the_token_is_read_once() -> None:
    http = Http("a")
    door, left = opened(http, "a", "b")
    assert door.get_json("head", "/x") == {"at": "head/x"}
    assert door.post_json("head", "/x", 1) == {"at": "head/x", "body": 1}
    assert (http.shown, next(left)) == (["a", "a"], "b")


def test_who_is_refused_looks_once_more() -> None:
    http = Http("b")
    door, _ = opened(http, "", "b")
    assert door.get_json("head", "/x") == {"at": "head/x"}
    assert door.get_json("head", "/x") == {"at": "head/x"}
    assert http.shown == ["", "b", "b"]


def test_a_token_that_stays_wrong_is_refused_without_asking_again() -> None:
    http = Http("c")
    door, _ = opened(http, "a", "a")
    with pytest.raises(NoAnswer):
        door.get_json("head", "/x")
    assert http.shown == ["a"]


def test_other_nodes_are_shown_no_token() -> None:
    http = Http("")
    door, _ = opened(http, "a")
    assert door.get_json("worker", "/") == {"at": "worker/"}
    assert http.shown == [""]
