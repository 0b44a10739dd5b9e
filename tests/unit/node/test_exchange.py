"""Whether bytes get through, with servers that answer rightly, wrongly and not at all."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cai_deploy.node.exchange import HTTP2_GREETING, Verdict, speaks_http2
from cai_deploy.node.tls import Certificate, create_authority
from tests.unit.node.network import Answer, hang_up, nothing, refusing_port, server

# What the GCS of Ray 2.60 sends, before and after it has read our greeting.
ITS_SETTINGS = bytes.fromhex("000018040000000000000400400000000500400000000600004000fe0300000001")
ITS_WINDOW = bytes.fromhex("000004080000000000003f0001")
IT_CONFIRMS = bytes.fromhex("000000040100000000")

PATIENCE = 0.5


def as_ray_does(connection: socket.socket) -> None:
    connection.sendall(ITS_SETTINGS)
    connection.sendall(ITS_WINDOW[:5])
    came = b""
    while len(came) < len(HTTP2_GREETING):
        received = connection.recv(len(HTTP2_GREETING) - len(came))
        if not received:  # a caller that only looks whether the port is open
            return
        came += received
    if came == HTTP2_GREETING:
        connection.sendall(ITS_WINDOW[5:] + IT_CONFIRMS)


def deaf(connection: socket.socket) -> None:
    connection.sendall(ITS_SETTINGS + ITS_WINDOW)


def web_server(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (as_ray_does, Verdict.OK),
        (nothing, Verdict.SILENT),
        (hang_up, Verdict.SILENT),
        (deaf, Verdict.STRANGE),
        (web_server, Verdict.STRANGE),
    ],
    ids=["as Ray does", "accepts and drops", "accepts and hangs up", "one way alone", "a web server"],
)
def test_a_server_that_accepts(answer: Answer, verdict: Verdict) -> None:
    with server(answer) as port:
        assert speaks_http2(f"127.0.0.1:{port}", PATIENCE) is verdict


def test_a_port_that_refuses_and_what_is_no_address() -> None:
    assert speaks_http2(f"127.0.0.1:{refusing_port()}", PATIENCE) is Verdict.REFUSED
    for address in ("127.0.0.1:no", "127.0.0.1", "", "nowhere.invalid:1"):
        assert speaks_http2(address, PATIENCE) is Verdict.UNREACHABLE


def over_tls(certificate: Certificate, answer: Answer) -> Answer:
    """The same answer over TLS; the connection stays open as long as anybody has what is returned."""
    kept: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        kept.append(certificate.for_callers().wrap_socket(connection, server_side=True))
        answer(kept[-1])

    return serve


def test_over_tls_it_has_to_be_the_one_that_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def certificate(address: str, cluster: str) -> Certificate:
        create_authority(tmp_path / cluster / "authority.pem", cluster)
        made = Certificate(tmp_path / cluster / "authority.pem", "node", address)
        made.make()
        return made

    head, stranger = certificate("127.0.0.1", "ray"), certificate("127.0.0.1", "other")
    calls = certificate("127.0.0.2", "ray").for_calls()
    for answer, verdict in (
        (over_tls(head, as_ray_does), Verdict.OK),
        (over_tls(head, web_server), Verdict.STRANGE),
        (over_tls(stranger, as_ray_does), Verdict.STRANGE),
        (deaf, Verdict.STRANGE),
        (nothing, Verdict.SILENT),
        (hang_up, Verdict.SILENT),
    ):
        with server(answer) as port:
            assert speaks_http2(f"127.0.0.1:{port}", PATIENCE, calls) is verdict
    with server(over_tls(head, as_ray_does)) as port:
        assert speaks_http2(f"127.0.0.1:{port}", PATIENCE) is not Verdict.OK, "whoever speaks plainly is not answered"
    assert speaks_http2(f"127.0.0.1:{refusing_port()}", PATIENCE, calls) is Verdict.REFUSED
