"""A real server in front of a workspace that spoils what passes: TLS, the clock, single answers."""

from __future__ import annotations

import datetime
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = datetime.timedelta(days=1)

Answers = Mapping[str, tuple[int, object]]
"""Instead of the workspace's own: the end of a path -> a status, and JSON or a page."""


class Front(BaseHTTPRequestHandler):
    """Passes requests on to ``behind``."""

    behind: str
    late: float
    answers: Answers

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length) if length else None
        path = self.path.partition("?")[0]
        for end, (status, body) in self.answers.items():
            if path.endswith(end):
                kind = "text/html" if isinstance(body, str) else "application/json"
                self.answer(status, (body if isinstance(body, str) else json.dumps(body)).encode(), kind, formatdate())
                return
        kept = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
        asked = urllib.request.Request(self.behind + self.path, data=content, headers=kept, method=self.command)  # noqa: S310
        try:
            with urllib.request.urlopen(asked, timeout=30) as told:  # noqa: S310
                self.answer(told.status, told.read(), told.headers["Content-Type"], told.headers["Date"])
        except urllib.error.HTTPError as told:
            self.answer(told.code, told.read(), told.headers["Content-Type"], told.headers["Date"])

    do_POST = do_GET  # noqa: N815

    def answer(self, status: int, body: bytes, kind: str, date: str) -> None:
        self.send_response_only(status)
        self.send_header("Date", formatdate(parsedate_to_datetime(date).timestamp() - self.late, usegmt=True))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def front(
    behind: str, *, certificate: Path | None = None, late: float = 0, answers: Answers | None = None
) -> Iterator[str]:
    """A server's address, within a ``with`` block. Its clock is ``late`` by so many seconds."""
    kind = type("OneFront", (Front,), {"behind": behind, "late": late, "answers": answers or {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http{'s' if certificate else ''}://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def make_certificates(directory: Path, *, name: str = "localhost", days: int = 1) -> tuple[Path, Path]:
    """An authority's file, and one with a key and a certificate of it for ``name`` that ends in ``days``."""
    now = datetime.datetime.now(datetime.timezone.utc)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"the authority of {name}")])

    def signed(subject: x509.Name, public: ec.EllipticCurvePublicKey, end: datetime.datetime, *, ca: bool) -> bytes:
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * DAY)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    bundle, both = directory / "ca.pem", directory / "server.pem"
    bundle.write_bytes(signed(ca_name, ca_key.public_key(), now + 9 * DAY, ca=True))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    both.write_bytes(private + signed(subject, key.public_key(), now + days * DAY, ca=False))
    return bundle, both
