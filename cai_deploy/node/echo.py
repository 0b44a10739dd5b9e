"""Whether the head gets bytes through to a node's ports: it calls back, and what it says must be answered rightly.

The node listens on the very ports that its Ray is about to take, and hands the head a secret of the moment (a nonce).
The head sends a question, and the answer to it takes the nonce: so nothing but the node that asked can pass for open.

Who may ask has the cluster's token, with which any code can be run here anyway. Still a head must not be made to search
a network: it calls a few ports of one address, that of a pod, and says nothing of what it heard there.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from types import TracebackType
from typing import Any

from cai_deploy.node.exchange import Verdict, exchange
from cai_deploy.node.web.body import Body, Refused

PATH = "/cai-deploy/echo"

MOST_PORTS = 20
LOWEST_PORT = 1024
PATIENCE = 2.0
"""Seconds for each port. All are called at once."""

AT_ONCE = 4
"""Nodes that are called back at a time; the others are asked to come again."""

NONCE_LENGTH = 32
QUESTION = b"cai-deploy echo\n"


class CallBacks:
    """Those of a head at ``own_address``."""

    def __init__(self, own_address: str) -> None:
        self._own_address = own_address
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def ask(self, data: Any) -> dict[str, Any]:
        """What ``POST /cai-deploy/echo`` answers: a verdict for each port.

        Raises Refused for a body that is none, and while too many ask.
        """
        body = Body(data)
        address = _pod_address(body.text("address"), self._own_address)
        ports, nonce = body.ports("ports", MOST_PORTS, LOWEST_PORT), body.text("nonce")
        if len(nonce) != NONCE_LENGTH:
            raise Refused(HTTPStatus.BAD_REQUEST, f"nonce must have {NONCE_LENGTH} characters")
        if not self._turns.acquire(blocking=False):
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "others are being called back; ask again")
        try:
            with ThreadPoolExecutor(len(ports)) as pool:
                verdicts = list(pool.map(lambda port: call(address, port, nonce), ports))
        finally:
            self._turns.release()
        return {"ports": {str(port): verdict.value for port, verdict in zip(ports, verdicts, strict=True)}}


def call(address: str, port: int, nonce: str) -> Verdict:
    """Whether the node that has ``nonce`` answers at ``port`` of ``address``."""
    right = answer_to(nonce, port)
    return exchange(f"{address}:{port}", QUESTION, lambda came: came == right, PATIENCE)


def answer_to(nonce: str, port: int) -> bytes:
    """What only the node with this nonce can say, and only on this port."""
    return hashlib.sha256(f"{nonce}:{port}".encode()).digest()


class EchoPorts:
    """Within a ``with`` block, the node at ``address`` answers on ``ports``; on one that is free when there are none.

    Raises OSError when a port cannot be opened.
    """

    def __init__(self, address: str, ports: Sequence[int], nonce: str) -> None:
        self._nonce = nonce
        self._servers: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        try:
            for port in ports or (0,):
                self._servers.append(socket.create_server((address, port)))
        except OSError:
            self._close()
            raise
        self.ports = [int(server.getsockname()[1]) for server in self._servers]

    def __enter__(self) -> EchoPorts:
        for server, port in zip(self._servers, self.ports, strict=True):
            thread = threading.Thread(target=self._serve, args=[server, port], daemon=True, name=f"echo {port}")
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _serve(self, server: socket.socket, port: int) -> None:
        with contextlib.suppress(OSError):  # closed: the block has ended
            while True:
                connection, _ = server.accept()
                self._answer(connection, port)

    def _answer(self, connection: socket.socket, port: int) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(PATIENCE)
            heard = b""
            while len(heard) < len(QUESTION) and (chunk := connection.recv(len(QUESTION) - len(heard))):
                heard += chunk
            if heard == QUESTION:
                connection.sendall(answer_to(self._nonce, port))
                # Who closes first keeps the port busy for a minute, and Ray wants this one now.
                connection.recv(1)

    def _close(self) -> None:
        for server in self._servers:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # wakes who accepts, or the port would stay open for them
            server.close()
        # Ray is to find the ports without a connection that is just ending.
        for thread in self._threads:
            thread.join(PATIENCE)


def _pod_address(text: str, own_address: str) -> str:
    """``text`` if it is an address that a pod can have. Loopback only where the head has such an address itself."""
    try:
        address, own = ipaddress.ip_address(text), ipaddress.ip_address(own_address)
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "address must be an IP address") from error
    special = address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
    if special or (address.is_loopback and not own.is_loopback):
        raise Refused(HTTPStatus.BAD_REQUEST, "address is not that of a pod")
    return text
