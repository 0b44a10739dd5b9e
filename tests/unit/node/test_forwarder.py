"""Bytes through the forwarder, over real sockets."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cai_deploy.node import forwarder
from cai_deploy.node.forwarder import Forwarder

HERE = "127.0.0.1"
TIMEOUT = 10.0
RESET = struct.pack("ii", 1, 0)
"""To close with a reset, as a process that is killed in the middle of something does."""


class Echo:
    """A server that sends back what it gets, after its own name; it ends its side when the other has ended."""

    def __init__(self, name: bytes) -> None:
        self._name = name
        self._server = socket.create_server((HERE, 0))
        self.address = f"{HERE}:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(self._name)
                while chunk := connection.recv(65536):
                    connection.sendall(chunk)
            except OSError:
                pass

    def close(self) -> None:
        self._server.close()


class World:
    """A forwarder whose target a test moves."""

    def __init__(self) -> None:
        self.target = ""
        self.told: list[str] = []
        self.port = Forwarder(lambda: self.target, self.told.append).serve([HERE], 0)

    def connect(self) -> socket.socket:
        return socket.create_connection((HERE, self.port), timeout=TIMEOUT)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(forwarder, "HOLD", 0.5)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def first() -> Iterator[Echo]:
    echo = Echo(b"1")
    yield echo
    echo.close()


@pytest.fixture
def second() -> Iterator[Echo]:
    echo = Echo(b"2")
    yield echo
    echo.close()


def all_of(connection: socket.socket) -> bytes:
    """Everything until the other side ends; what a broken connection had sent counts too."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionError:
        pass
    return received


def test_a_target_that_moves_takes_its_connections_along(world: World, first: Echo, second: Echo) -> None:
    world.target = first.address
    with world.connect() as before:
        before.sendall(b"x")
        assert before.recv(1) == b"1"
        world.target = second.address
        assert all_of(before) in (b"", b"x"), "it is dropped, with nobody ending it"
        with world.connect() as after:
            assert after.recv(1) == b"2"
            assert world.told == [f"the head has moved from {first.address} to {second.address}"]
            world.target = ""
            after.sendall(b"y")
            assert after.recv(1) == b"y", "that nobody knows a target is no news of it"


def test_without_a_target_a_connection_is_held_and_then_closed(world: World, first: Echo) -> None:
    with world.connect() as nobody:
        assert all_of(nobody) == b""
    with socket.create_server((HERE, 0)) as closed:
        world.target = f"{HERE}:{closed.getsockname()[1]}"
    with world.connect() as absent:
        assert all_of(absent) == b""
    with world.connect() as early:
        world.target = first.address
        assert early.recv(1) == b"1", "a target that comes within the time is reached"


@pytest.mark.parametrize("target", ["nonsense", "127.0.0.1:", "127.0.0.1:x", ":0"])
def test_a_target_that_is_none(world: World, target: str) -> None:
    world.target = target
    with world.connect() as connection:
        assert all_of(connection) == b""


def test_half_a_connection_is_closed_and_the_other_half_goes_on(world: World, first: Echo) -> None:
    world.target = first.address
    with world.connect() as connection:
        connection.sendall(b"the last word")
        connection.shutdown(socket.SHUT_WR)
        assert all_of(connection) == b"1the last word"


def test_a_target_that_dies_ends_its_connections(world: World) -> None:
    with socket.create_server((HERE, 0)) as server:
        world.target = f"{HERE}:{server.getsockname()[1]}"
        with world.connect() as connection:
            far, _ = server.accept()
            far.sendall(b"x")
            assert connection.recv(1) == b"x", "it stands: one that breaks while it is made is tried again"
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            far.close()
            assert all_of(connection) == b""


def test_a_client_that_breaks_off_ends_the_far_side(world: World) -> None:
    with socket.create_server((HERE, 0)) as server:
        world.target = f"{HERE}:{server.getsockname()[1]}"
        connection = world.connect()
        far, _ = server.accept()
        far.settimeout(TIMEOUT)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()
        assert all_of(far) == b""
        far.close()


def test_many_connections_with_much_to_say(world: World, first: Echo) -> None:
    world.target = first.address

    def exchange(size: int) -> bool:
        data = os.urandom(size)
        with world.connect() as connection:
            sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
            sender.start()
            received = all_of(connection)
            sender.join()
        return hashlib.sha256(received).digest() == hashlib.sha256(b"1" + data).digest()

    with ThreadPoolExecutor(40) as pool:
        assert all(pool.map(exchange, [1000] * 200 + [3_000_000] * 8 + [40_000_000]))


def test_a_port_that_is_held_is_left_to_its_holder() -> None:
    with socket.create_server((HERE, 0)) as held:
        taken = held.getsockname()[1]
        port = Forwarder(lambda: "", print).serve([HERE, "127.0.0.2"], taken)
        assert port != taken
        with socket.create_connection(("127.0.0.2", port), timeout=TIMEOUT):
            pass
