"""When a worker that a person brought goes by itself: told to leave through the GCS, or when its head has ended."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cai_deploy.node.gcs import RayNode
from cai_deploy.node.joined import Joined, refuses
from cai_deploy.node.orders import Orders
from cai_deploy.node.pod import Pod
from tests.free_ports import free_ports
from tests.polling import eventually
from tests.unit.node.batch.job_nodes import FakeWorker
from tests.unit.node.fake_gcs import FakeGcs

NAME = "joined-two"


class Stay:
    """One joined worker, with a head that listens as long as ``door`` is open."""

    def __init__(self, project: Path) -> None:
        self.door = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.door.getsockname()[1]}"
        self.gcs = FakeGcs(RayNode(b"1", NAME, "ALIVE", started=int(time.time() * 1000) + 60_000))
        self.orders = Orders()
        self.told: list[str] = []
        self.worker = FakeWorker()
        pod = Pod(NAME, project, "127.0.0.1", 8100, "", self.address)
        self.term = Joined(
            pod,
            self.worker,  # type: ignore[arg-type]
            self.orders,
            self.told.append,
            absence=1.0,
            open_gcs=lambda _: self.gcs,
        )


@pytest.fixture
def stay(tmp_path: Path) -> Iterator[Stay]:
    made = Stay(tmp_path)
    made.term.begin()
    yield made
    made.orders.stop.set()
    assert made.term.over.wait(10)
    made.door.close()


def stays(stay: Stay, seconds: float = 2.0) -> bool:
    return not stay.term.over.wait(seconds)


def test_who_is_told_to_leave_ends_its_work_first(stay: Stay) -> None:
    stay.gcs.note_drain(b"1", time.time() + 60)
    eventually(lambda: stay.told == ["told to leave: this worker ends with the work that it has"])
    assert stays(stay)
    stay.gcs.end(b"1")
    assert stay.term.over.wait(10)


def test_who_was_told_to_leave_goes_when_its_head_does(stay: Stay) -> None:
    stay.gcs.note_drain(b"1", time.time() + 60)
    eventually(lambda: stay.told)
    stay.gcs.away = True
    assert stay.term.over.wait(10)


def test_a_head_that_is_silent_is_waited_for_and_one_that_is_gone_is_not(stay: Stay) -> None:
    stay.gcs.away = True
    assert stays(stay)
    stay.door.close()
    assert stay.term.over.wait(10)
    assert stay.told == ["the head has ended: its machine has refused for 1 seconds"]


def test_an_order_to_stop_counts(stay: Stay) -> None:
    assert stays(stay, 0.6)
    stay.orders.stop.set()
    assert stay.term.over.wait(10)
    assert stay.told == []
    assert stay.term.end() is None


def test_only_a_refusal_says_that_nobody_is_there() -> None:
    (port,) = free_ports(1)
    assert refuses(f"127.0.0.1:{port}")
    assert not refuses("no address")
    with socket.create_server(("127.0.0.1", 0)) as door:
        assert not refuses(f"127.0.0.1:{door.getsockname()[1]}")
