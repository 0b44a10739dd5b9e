"""The way to a head is given once the head has answered; else the reason says what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cai_deploy.access import Access
from cai_deploy.api.application_http import ApplicationHttp, ApplicationNotAnswering, ApplicationRefused
from cai_deploy.places.base import HeadRefuses, HeadSilent, NoHead
from cai_deploy.places.head_access import Words, access_to_head
from cai_deploy.places.token_door import TokenDoor
from cai_deploy.state import Node, NodeState

NODE = Node("head", "head", "head", NodeState.RUNNING, "1", "f")
SUBDOMAIN = "ray-head-abc"
WORDS = Words("application", "use another key", "let the owner read it")
TOKEN = "t1"


class Head(ApplicationHttp):
    """Answers, or raises ``error``; hands out the way to itself as any application."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__("https://ml.example.com", "key")
        self.error = error

    def get_json(self, subdomain: str, path: str, *, token: str = "") -> dict[str, Any]:
        assert subdomain == SUBDOMAIN
        if self.error:
            raise self.error
        return {}


def way(head: Head, node: Node | None = NODE, *, token: str = TOKEN, needs_token: bool = True) -> Access:
    door = TokenDoor(head, learnt=list)
    door.opens_with(SUBDOMAIN, lambda: token)
    return access_to_head(door, SUBDOMAIN, node, "ray", needs_token=needs_token, words=WORDS)


def test_a_head_that_answers() -> None:
    access = way(Head())
    assert access.base_url == f"https://{SUBDOMAIN}.ml.example.com"
    assert access.headers == {"Authorization": "Bearer key", "X-Ray-Authorization": "Bearer t1"}


def test_no_cluster() -> None:
    with pytest.raises(NoHead, match="there is no cluster ray") as caught:
        way(Head(), None)
    assert "launch" in caught.value.next_step


@pytest.mark.parametrize(
    ("error", "kind", "exit_code"),
    [(ApplicationNotAnswering("x"), HeadSilent, 5), (ApplicationRefused("x"), HeadRefuses, 4)],
)
def test_a_head_that_cannot_be_used(error: Exception, kind: type[NoHead], exit_code: int) -> None:
    with pytest.raises(kind) as caught:
        way(Head(error))
    assert caught.value.exit_code == exit_code
    assert caught.value.next_step


@pytest.mark.parametrize(("state", "expected"), [(NodeState.STARTING, True), (NodeState.FAILED, False)])
def test_a_head_that_does_not_come_back_by_itself_is_not_worth_waiting_for(state: NodeState, expected: bool) -> None:
    with pytest.raises(HeadSilent) as caught:
        way(Head(ApplicationNotAnswering("x")), replace(NODE, state=state))
    assert caught.value.retry_helps is expected


def test_a_token_that_cannot_be_read() -> None:
    with pytest.raises(HeadRefuses, match="token"):
        way(Head(), token="")


def test_a_cluster_without_a_token_needs_none() -> None:
    assert "X-Ray-Authorization" not in way(Head(), token="", needs_token=False).headers
