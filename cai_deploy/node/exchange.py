"""Whether bytes get through to a port and back, which is more than that it accepts a connection.

A mesh with strict rules, a half-dead proxy or a path that drops large packets all accept, and then nothing comes. It
does not know what that means for a cluster.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial

CONNECT_TIMEOUT = 2.0
CHUNK = 4096

HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""What every HTTP/2 client says first, and its settings, of which there are none."""

FRAME_HEAD = 9
SETTINGS = 4
CONFIRMED = 1


class Verdict(str, Enum):
    """How an attempt to exchange bytes ended. The values stand in answers of the head and in messages."""

    OK = "ok"
    REFUSED = "refused"
    SILENT = "accepted but no bytes came"
    STRANGE = "something else answered"
    UNREACHABLE = "no route, or no answer in time"


def speaks_http2(address: str, patience: float, tls: ssl.SSLContext | None = None) -> Verdict:
    """Whether a server that speaks HTTP/2, as all of Ray's do, reads what we send and answers to it.

    With ``tls`` it has to do so over TLS, and to be the one that it is taken for.

    Its own settings come first, whether or not it reads; only that it confirms ours shows that both ways are open.
    """
    return exchange(address, HTTP2_GREETING, _confirms, patience, tls)


def exchange(
    address: str,
    sent: bytes,
    enough: Callable[[bytes], bool],
    patience: float,
    tls: ssl.SSLContext | None = None,
) -> Verdict:
    """Connect to ``host:port``, send, and read for ``patience`` seconds until what came is ``enough``."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=min(CONNECT_TIMEOUT, patience)) as connection:
            answered = partial(_answered, sent=sent, enough=enough, patience=patience)
            return _over_tls(connection, tls, host, answered, patience) if tls else answered(connection)
    except ConnectionRefusedError:
        return Verdict.REFUSED
    except (OSError, ValueError):
        return Verdict.UNREACHABLE


def _over_tls(
    connection: socket.socket,
    tls: ssl.SSLContext,
    host: str,
    answered: Callable[[socket.socket], Verdict],
    patience: float,
) -> Verdict:
    connection.settimeout(patience)
    try:
        closed = tls.wrap_socket(connection, server_hostname=host)
    except ssl.SSLError as error:
        return Verdict.SILENT if isinstance(error, ssl.SSLEOFError) else Verdict.STRANGE
    except OSError:  # closed in our face, or nothing in time
        return Verdict.SILENT
    with closed:
        return answered(closed)


def _answered(connection: socket.socket, sent: bytes, enough: Callable[[bytes], bool], patience: float) -> Verdict:
    end = time.monotonic() + patience
    came = b""
    try:
        connection.sendall(sent)
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            chunk = connection.recv(CHUNK)
            came += chunk
            if enough(came):
                return Verdict.OK
            if not chunk:
                break
    except ssl.SSLError as error:
        return Verdict.SILENT if isinstance(error, ssl.SSLEOFError) and not came else Verdict.STRANGE
    except OSError:
        pass  # Closed in our face, or nothing in time: what came so far decides.
    return Verdict.STRANGE if came else Verdict.SILENT


def _confirms(came: bytes) -> bool:
    return any(kind == SETTINGS and flags & CONFIRMED for kind, flags in _frames(came))


def _frames(came: bytes) -> Iterator[tuple[int, int]]:
    """The kind and the flags of each HTTP/2 frame whose head has come."""
    while len(came) >= FRAME_HEAD:
        yield came[3], came[4]
        came = came[FRAME_HEAD + int.from_bytes(came[:3], "big") :]
