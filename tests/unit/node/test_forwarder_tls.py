"""Bytes through a forwarder that ends TLS on its own side and begins it anew to the head."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cai_deploy.node import forwarder
from cai_deploy.node.forwarder import Forwarder
from cai_deploy.node.tls import Certificate, create_authority

WORKER = "127.0.0.1"
HEAD = "127.0.0.2"
TIMEOUT = 10.0


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(forwarder, "HOLD", 0.5)


@pytest.fixture
def certificate(tmp_path: Path) -> Iterator[Callable[..., Certificate]]:
    """Makes one for an address, by an authority of the cluster or of another one."""
    with contextlib.ExitStack() as made:

        def make(address: str, cluster: str = "ray") -> Certificate:
            authority = tmp_path / cluster / "authority.pem"
            create_authority(authority, cluster)
            certificate = Certificate(authority, "node", address)
            made.callback(certificate.remove)
            certificate.make()
            return certificate

        yield make


@contextlib.contextmanager
def echo(certificate: Certificate, host: str = HEAD) -> Iterator[str]:
    """A head at ``host`` that sends back what it gets from who shows a certificate."""
    with socket.create_server((host, 0)) as listening:

        def serve(connection: socket.socket) -> None:
            with (
                contextlib.suppress(OSError),
                certificate.for_callers().wrap_socket(connection, server_side=True) as closed,
            ):
                while chunk := closed.recv(65536):
                    closed.sendall(chunk)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=[listening.accept()[0]], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"{host}:{listening.getsockname()[1]}"
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


class World:
    """A worker's forwarder whose target a test moves, and what Ray does on that worker."""

    def __init__(self, certificate: Certificate) -> None:
        self.target = ""
        self.told: list[str] = []
        self._certificate = certificate
        self.port = Forwarder(lambda: self.target, self.told.append, certificate).serve([WORKER], 0)

    def plain(self) -> socket.socket:
        return socket.create_connection((WORKER, self.port), timeout=TIMEOUT)

    def connect(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        context = context or self._certificate.for_calls()
        return context.wrap_socket(self.plain(), server_hostname=WORKER)


def said(connection: socket.socket) -> bytes:
    """What comes before the other side ends, in whichever way."""
    received = b""
    with contextlib.suppress(OSError):
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_ray_reaches_a_head_whose_certificate_is_for_another_address(certificate: Callable[..., Certificate]) -> None:
    world = World(certificate(WORKER))
    with echo(certificate(HEAD)) as first, echo(certificate("127.0.0.3"), "127.0.0.3") as moved:
        world.target = first
        with world.connect() as connection:
            assert connection.selected_alpn_protocol() == "h2"
            connection.sendall(b"hello")
            assert connection.recv(5) == b"hello"
            world.target = moved
            assert said(connection) == b"", "a target that moves takes its connections along"
        with world.connect() as connection:
            connection.sendall(b"again")
            assert connection.recv(5) == b"again"


def test_many_connections_with_much_to_say(certificate: Callable[..., Certificate]) -> None:
    own = certificate(WORKER)
    world = World(own)

    async def exchange(size: int) -> bool:
        data = os.urandom(size)
        reader, writer = await asyncio.open_connection(WORKER, world.port, ssl=own.for_calls())
        writer.write(data)
        _, received = await asyncio.gather(writer.drain(), reader.readexactly(size))
        writer.transport.abort()
        return bytes(received) == data

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*map(exchange, [1000] * 40 + [3_000_000] * 4 + [20_000_000]))

    with echo(certificate(HEAD)) as world.target:
        assert all(asyncio.run(all_at_once()))


def test_an_end_is_handed_on_both_ways(certificate: Callable[..., Certificate]) -> None:
    world = World(certificate(WORKER))
    with socket.create_server((HEAD, 0)) as listening:
        world.target = f"{HEAD}:{listening.getsockname()[1]}"
        context = certificate(HEAD).for_callers()
        ended: list[bytes] = []

        def serve() -> None:
            for stays in (True, False):
                with context.wrap_socket(listening.accept()[0], server_side=True) as closed:
                    closed.settimeout(TIMEOUT)
                    closed.sendall(b"the last word")
                    if stays:
                        ended.append(said(closed))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with world.connect() as connection:
            assert connection.recv(13) == b"the last word"
            connection.sendall(b"mine")
        with world.connect() as connection:
            assert said(connection) == b"the last word"
        thread.join(TIMEOUT)
        assert ended == [b"mine"]


def test_whoever_is_not_of_the_cluster_gets_nowhere(certificate: Callable[..., Certificate]) -> None:
    world = World(certificate(WORKER))
    with echo(certificate(HEAD)) as world.target:
        with world.plain() as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\n")
            assert b"HTTP" not in said(connection)
        stranger = certificate(WORKER, "other").for_calls()
        stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
        with world.connect(stranger) as connection, contextlib.suppress(OSError):
            connection.sendall(b"hello")
            assert said(connection) == b""


@pytest.mark.parametrize(("address", "cluster"), [(HEAD, "other"), (WORKER + "1", "ray")], ids=["authority", "address"])
def test_whoever_is_not_the_head_is_not_taken_for_it(
    certificate: Callable[..., Certificate], address: str, cluster: str
) -> None:
    world = World(certificate(WORKER))
    with echo(certificate(address, cluster)) as world.target, world.connect() as connection:
        with contextlib.suppress(OSError):
            connection.sendall(b"hello")
        assert said(connection) == b""
    (told,) = world.told
    assert told.startswith(f"whoever is at {HEAD}:")
    assert "is not taken for the head: [SSL: CERTIFICATE_VERIFY_FAILED]" in told
