"""Which ports a head uses when some are held."""

from __future__ import annotations

import os
import socket

import pytest

from cai_deploy.node.port_holder import holder_of
from cai_deploy.node.ports import PortTaken, check, choose, is_free

USUAL = {"gcs": 6379, "dashboard": 8265, "client": 10001, "serve": 8000}


@pytest.mark.parametrize(
    ("held", "pinned", "expected"),
    [
        (set(), [], USUAL),
        ({6379}, [], {**USUAL, "gcs": 6380}),
        ({6379, 6380, 8265}, [], {**USUAL, "gcs": 6381, "dashboard": 8266}),
        ({8000}, ["serve"], USUAL),
    ],
)
def test_a_port_moves_to_the_next_free_one(held: set[int], pinned: list[str], expected: dict[str, int]) -> None:
    assert choose(USUAL, pinned, lambda port: port not in held) == expected


def test_two_ports_never_move_to_the_same_place() -> None:
    chosen = choose({"gcs": 5000, "dashboard": 5001, "client": 5002}, [], lambda port: port not in {5000, 5001})
    assert len(set(chosen.values())) == 3


def test_a_pinned_port_that_is_held_is_an_error() -> None:
    with pytest.raises(PortTaken, match=r"port 6379 \(gcs\) is held by another program"):
        choose(USUAL, ["gcs"], lambda port: port != 6379)


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


NODE = {"node_manager": 8076, "metrics": 8080, "worker_min": 11000, "worker_max": 11003}


@pytest.mark.parametrize("name", ["node_manager", "metrics"])
def test_a_pinned_port_of_any_node_is_an_error_too(name: str) -> None:
    for look in (lambda free: check(NODE, [name], 1, free), lambda free: choose({**USUAL, **NODE}, [name], free)):
        with pytest.raises(PortTaken, match=rf"port {NODE[name]} \({name}\) is held"):
            look(lambda port: port != NODE[name])
        look(lambda port: True)


def test_a_range_needs_a_port_for_each_process() -> None:
    check(NODE, [], 2, lambda port: port not in {11000, 11001})
    with pytest.raises(PortTaken, match="of the worker ports 11000 to 11003, 1 are free and 2 are needed"):
        check(NODE, [], 2, lambda port: port not in {11000, 11001, 11002})
    with pytest.raises(PortTaken, match="4 are free and 5 are needed"):
        check(NODE, [], 5, lambda port: True)
    check({"node_manager": 8076}, [], 5, lambda port: True)


def test_who_holds_a_port_is_told_by_name_and_number_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert holder_of(port).endswith(f"(process {os.getpid()})")
    assert holder_of(port) == ""
