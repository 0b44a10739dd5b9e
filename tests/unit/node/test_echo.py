"""The head calls a node back: what it finds, and what it cannot be made to do."""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from typing import Any

import pytest

from cai_deploy.node import echo
from cai_deploy.node.echo import AT_ONCE, MOST_PORTS, NONCE_LENGTH, CallBacks, EchoPorts
from cai_deploy.node.exchange import Verdict
from cai_deploy.node.web.body import Refused
from tests.polling import eventually
from tests.unit.node.network import hang_up, nothing, refusing_port, server

NONCE = "n" * NONCE_LENGTH
HERE = "127.0.0.1"


def ask(ports: list[int], nonce: str = NONCE) -> dict[str, str]:
    return CallBacks(HERE).ask({"address": HERE, "ports": ports, "nonce": nonce})["ports"]


def test_a_node_that_listens_is_heard_on_each_of_its_ports_again_and_again() -> None:
    with EchoPorts(HERE, [refusing_port(), refusing_port()], NONCE) as node:
        for _ in range(3):
            assert ask(node.ports) == {str(port): "ok" for port in node.ports}


def test_a_node_without_pinned_ports_takes_a_free_one() -> None:
    with EchoPorts(HERE, [], NONCE) as node:
        assert len(node.ports) == 1
        assert ask(node.ports) == {str(node.ports[0]): "ok"}


def test_the_ports_are_free_for_ray_at_once() -> None:
    with EchoPorts(HERE, [], NONCE) as node:
        (port,) = node.ports
        assert ask([port]) == {str(port): "ok"}
    eventually(lambda: can_be_bound(port), seconds=1)


def can_be_bound(port: int) -> bool:
    """As Ray looks: without the option to share it with connections that linger."""
    with socket.socket() as ray:
        try:
            ray.bind(("0.0.0.0", port))  # noqa: S104
        except OSError:
            return False
        return True


def test_what_else_can_be_there() -> None:
    with server(nothing) as drops, server(hang_up) as hangs_up, EchoPorts(HERE, [], "another nonce") as other:
        refuses = refusing_port()
        assert ask([drops, hangs_up, other.ports[0], refuses]) == {
            str(drops): "accepted but no bytes came",
            str(hangs_up): "accepted but no bytes came",
            str(other.ports[0]): "something else answered",
            str(refuses): "refused",
        }


@pytest.mark.parametrize(
    "change",
    [
        {"address": "node.example.com"},
        {"address": "169.254.169.254"},
        {"address": "0.0.0.0"},  # noqa: S104
        {"address": "224.0.0.1"},
        {"address": ""},
        {"ports": []},
        {"ports": [80]},
        {"ports": [70000]},
        {"ports": [True]},
        {"ports": ["8076"]},
        {"ports": [8076, 8076]},
        {"ports": list(range(2000, 2001 + MOST_PORTS))},
        {"ports": 8076},
        {"nonce": "short"},
        {"nonce": None},
    ],
    ids=str,
)
def test_what_a_head_does_not_do(change: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        CallBacks(HERE).ask({"address": HERE, "ports": [8076], "nonce": NONCE, **change})
    assert refused.value.status is HTTPStatus.BAD_REQUEST


def test_a_head_in_a_pod_does_not_call_its_own_loopback() -> None:
    with pytest.raises(Refused, match="not that of a pod"):
        CallBacks("10.77.0.2").ask({"address": HERE, "ports": [8076], "nonce": NONCE})


def test_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go = threading.Semaphore(0), threading.Event()

    def slow(address: str, port: int, nonce: str) -> Verdict:
        inside.release()
        assert go.wait(15)
        return Verdict.OK

    monkeypatch.setattr(echo, "call", slow)
    head = CallBacks(HERE)
    body = {"address": HERE, "ports": [8076], "nonce": NONCE}
    callers = [threading.Thread(target=head.ask, args=[body]) for _ in range(AT_ONCE)]
    for caller in callers:
        caller.start()
    for _ in callers:
        assert inside.acquire(timeout=15)
    with pytest.raises(Refused) as refused:
        head.ask(body)
    assert refused.value.status is HTTPStatus.TOO_MANY_REQUESTS
    go.set()
    for caller in callers:
        caller.join(15)
    assert eventually(lambda: head.ask(body)) == {"ports": {"8076": "ok"}}
