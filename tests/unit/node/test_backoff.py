"""When Ray is started again, and when the node gives up."""

from __future__ import annotations

from cai_deploy.node.backoff import LONG_LIFE, PAUSES, Backoff


def test_pauses_grow_and_end() -> None:
    backoff = Backoff()
    assert [backoff.pause(1) for _ in range(7)] == [*PAUSES, None]
    assert sum(PAUSES) < 300, "the platform's own restarts are not kept waiting for longer than one of its pauses"


def test_a_long_life_is_a_new_beginning() -> None:
    backoff = Backoff()
    assert [backoff.pause(lived) for lived in (1, 1, LONG_LIFE, 1)] == [*PAUSES[:2], *PAUSES[:2]]
