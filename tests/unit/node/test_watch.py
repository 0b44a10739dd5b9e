"""How the end of Ray is noticed, and how long a drained node waits to be stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cai_deploy.node import watch
from cai_deploy.node.watch import RayEnded, follow, rest


class FakeRay:
    last_lines = ("the last line",)

    def __init__(self, *services: set[str], status: int | None = None, lack: str = "") -> None:
        self._lack = lack
        self._services: Iterator[set[str]] = iter(services)
        self._now: set[str] = set()
        self._status = status

    def ended(self) -> int | None:
        return self._status

    def shortage(self) -> str:
        return self._lack

    def services(self) -> set[str]:
        self._now = next(self._services, self._now)
        return self._now


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL", 0.001)
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.001)


def watched(ray: Any) -> None:
    follow(ray, threading.Event())


def test_the_end_of_ray_itself_and_of_its_raylet() -> None:
    with pytest.raises(RayEnded, match="Ray ended with status 3") as ended:
        watched(FakeRay(status=3))
    assert ended.value.why == "the last line"
    with pytest.raises(RayEnded, match="no raylet any more"):
        watched(FakeRay(set(), {"raylet"}, {"raylet"}, set()))


def test_a_full_disk_is_named_as_ray_itself_cannot() -> None:
    with pytest.raises(RayEnded, match=r"no raylet any more \(No space left on device"):
        watched(FakeRay(set(), {"raylet"}, set(), lack="No space left on device: 0.0 MB are free in /tmp"))


def test_told_to_stop_it_ends() -> None:
    stop = threading.Event()
    stop.set()
    follow(FakeRay(status=3), stop)  # type: ignore[arg-type]
    rest(stop)


def test_a_drained_node_that_nobody_stops_is_to_be_started_anew() -> None:
    with pytest.raises(RayEnded, match="not stopped for 0 seconds: it is to be started anew"):
        rest(threading.Event(), 0.01)
