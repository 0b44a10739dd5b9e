"""What a worker answers on its HTTP port, by which the platform knows that it runs: a few words of JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve_status(port: int, describe: Callable[[], Mapping[str, str]]) -> ThreadingHTTPServer:
    """Answer every GET on ``port`` with what ``describe`` says, from a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(dict(describe())).encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
            """Probes come every few seconds; they are no news."""

    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)  # noqa: S104 (the platform's proxy comes from outside)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, name="status").start()
    return server
