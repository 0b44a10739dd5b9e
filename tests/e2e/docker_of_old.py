"""An engine of Docker as far as its client asks how old it is: engines and Composes that nobody has any more."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

PLUGIN = """\
#!/bin/sh
case "$1" in
docker-cli-plugin-metadata) echo '{{"SchemaVersion": "0.1.0", "Vendor": "Docker Inc.", "Version": "{version}"}}' ;;
*) echo {version} ;;
esac
"""


@contextlib.contextmanager
def engine(socket: Path, version: str) -> Iterator[str]:
    """One that says it is of this ``version``, and has neither containers nor images; its address."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.endswith("/version"):
                return self._tell({"Version": version, "ApiVersion": "1.40", "MinAPIVersion": "1.12", "Os": "linux"})
            if path.endswith("/containers/json"):
                return self._tell([])
            if path.endswith("/info"):
                return self._tell({"SecurityOptions": [], "ServerVersion": version})
            return self._tell(
                {"message": "no such image"} if "/images/" in path else {}, 404 if "/images/" in path else 200
            )

        do_HEAD = do_GET  # noqa: N815 (the server looks for these names)

        def _tell(self, answer: object, status: int = 200) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Api-Version", "1.40")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def address_string(self) -> str:
            return "docker"

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with socketserver.ThreadingUnixStreamServer(str(socket), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"unix://{socket}"
        finally:
            server.shutdown()


def compose_plugin(directory: Path, version: str) -> None:
    """A plugin of Compose of this ``version`` in a directory for Docker's client."""
    plugins = directory / "cli-plugins"
    plugins.mkdir(parents=True)
    plugin = plugins / "docker-compose"
    plugin.write_text(PLUGIN.format(version=version))
    plugin.chmod(0o755)
