"""Certificates of a cluster's nodes, judged by the ssl module over real sockets."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509

from cai_deploy.node import tls
from cai_deploy.node.certificates import new_authority, signed_certificate
from cai_deploy.node.tls import Certificate, NoAuthority, certified, create_authority, read_authority, use_tls

HERE = "127.0.0.1"
ANOTHER = "127.0.0.2"


@pytest.fixture(autouse=True)
def _own_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pods").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "pods"))


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return tmp_path / "clusters/ray/tls/authority.pem"


@pytest.fixture
def head(authority: Path) -> Iterator[Certificate]:
    certificate = Certificate(authority, "head", HERE)
    certificate.found("ray")
    yield certificate
    certificate.remove()


def node(authority: Path, name: str = "worker-0", address: str = ANOTHER) -> Certificate:
    certificate = Certificate(authority, name, address)
    certificate.make()
    return certificate


def meet(server: ssl.SSLContext, client: ssl.SSLContext, called: str = HERE) -> str:
    """What becomes of one connection: what was agreed upon, or why there is none, as the client or the server says."""
    said: list[str] = []
    with socket.create_server((HERE, 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            try:
                with server.wrap_socket(connection, server_side=True) as closed:
                    closed.sendall(b"well")
            except OSError as error:
                said.append(str(error))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            address = (HERE, listening.getsockname()[1])
            with client.wrap_socket(socket.create_connection(address, 5), server_hostname=called) as closed:
                received = closed.recv(4).decode()
                agreed = f"{received} over {closed.selected_alpn_protocol()}"
        except OSError as error:
            agreed = str(error)
        thread.join(5)
    return "; ".join([agreed, *said])


def test_nodes_of_one_cluster_trust_each_other(authority: Path, head: Certificate) -> None:
    worker = node(authority)
    assert meet(head.for_callers(), worker.for_calls()) == "well over h2"
    assert meet(head.for_callers(), worker.for_calls(), "localhost") == "well over h2"
    assert meet(worker.for_callers(), head.for_calls(), ANOTHER) == "well over h2"
    strict = worker.for_calls()
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    assert meet(head.for_callers(), strict) == "well over h2", "as newer versions of Python judge it"


def test_a_certificate_is_good_for_its_own_address_alone(authority: Path, head: Certificate) -> None:
    assert "IP address mismatch, certificate is not valid" in meet(
        head.for_callers(), node(authority).for_calls(), ANOTHER
    )


def test_a_stranger_is_refused_at_both_ends(tmp_path: Path, head: Certificate) -> None:
    create_authority(tmp_path / "other/authority.pem", "ray")
    stranger = node(tmp_path / "other/authority.pem", address=HERE)
    assert "CERTIFICATE_VERIFY_FAILED" in meet(stranger.for_callers(), head.for_calls())
    trusting = stranger.for_calls()
    trusting.load_verify_locations(head.variables["RAY_TLS_CA_CERT"])
    assert "CERTIFICATE_VERIFY_FAILED" in meet(head.for_callers(), trusting)
    nobody = ssl.create_default_context(cafile=head.variables["RAY_TLS_CA_CERT"])
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in meet(head.for_callers(), nobody)


def test_what_is_secret_is_closed(tmp_path: Path, authority: Path, head: Certificate) -> None:
    assert authority.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in authority.parent.iterdir()] == ["authority.pem"]
    files = [authority, *map(Path, head.variables.values())]
    kept = [path for path in files if path.is_file()]
    assert len(kept) == 4
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert "PRIVATE KEY" not in Path(head.variables["RAY_TLS_CA_CERT"]).read_text()
    head.remove()
    assert not list((tmp_path / "pods").iterdir())


def test_heads_that_start_at_once_have_one_authority(authority: Path) -> None:
    seen: set[str] = set()
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        create_authority(authority, "ray")
        seen.add(read_authority(authority))

    heads = [threading.Thread(target=start) for _ in range(8)]
    for each in heads:
        each.start()
    for each in heads:
        each.join()
    assert len(seen) == 1
    before = authority.read_text()
    create_authority(authority, "ray")
    assert authority.read_text() == before, "made once in the life of a cluster"


def test_a_worker_waits_for_its_head(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    worker = Certificate(authority, "worker-0", ANOTHER)
    threading.Timer(0.2, create_authority, [authority, "ray"]).start()
    assert worker.join(stop)
    made = Path(worker.variables["RAY_TLS_SERVER_CERT"]).read_text()
    authority.unlink()
    assert worker.join(stop)
    assert Path(worker.variables["RAY_TLS_SERVER_CERT"]).read_text() == made, "once in the life of a node"
    late = Certificate(authority.with_name("none"), "worker-1", ANOTHER)
    monkeypatch.setattr(tls, "PATIENCE", 0.0)
    with pytest.raises(NoAuthority, match="no authority"):
        late.join(stop)
    stop.set()
    assert not late.join(stop)


def test_what_is_no_authority_is_said(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.parent.mkdir(parents=True)
    mixed = new_authority("ray")[0] + new_authority("ray")[1]
    for text in ("nonsense", mixed):
        authority.write_text(text)
        with pytest.raises(NoAuthority, match="no certificate can be made"):
            node(authority)
    monkeypatch.setitem(sys.modules, "cai_deploy.node.certificates", None)
    with pytest.raises(NoAuthority, match="no library for certificates"):
        node(authority)
    authority.unlink()
    authority.mkdir()
    with pytest.raises(NoAuthority, match="cannot be read"):
        read_authority(authority)


def test_a_certificate_outlives_a_node_and_a_slow_clock() -> None:
    key, authority = new_authority("ray")
    made = x509.load_pem_x509_certificate(signed_certificate(key, authority, "n" * 90, [HERE, HERE, "h"])[1].encode())
    now = datetime.now(timezone.utc)
    assert made.not_valid_before_utc < now - timedelta(hours=2)
    assert made.not_valid_after_utc > now + timedelta(days=4 * 365)


def test_ray_is_told_and_nothing_else_counts(head: Certificate) -> None:
    environ = {"RAY_USE_TLS": "1", "RAY_TLS_SERVER_KEY": "another", "HOME": "/h"}
    use_tls(None, environ)
    assert environ == {"RAY_USE_TLS": "0", "HOME": "/h"}
    use_tls(head, environ)
    assert environ == {**head.variables, "HOME": "/h"}
    assert environ["RAY_USE_TLS"] == "1"


def test_a_session_of_the_project_gets_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoAuthority):
        certified("ray")
    create_authority(tmp_path / ".cai-deploy/clusters/ray/tls/authority.pem", "ray")
    assert Path(certified("ray")["RAY_TLS_SERVER_KEY"]).is_file()


def test_without_tls_nobody_needs_the_library() -> None:
    code = "import sys, cai_deploy.node.agent; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
