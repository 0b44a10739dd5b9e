"""Real git servers on loopback, for private repositories: over HTTP with a token, and over SSH with a key."""

from __future__ import annotations

import base64
import contextlib
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.free_ports import free_port
from tests.polling import eventually

BACKEND = Path(
    subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip(),
    "git-http-backend",
)
SSHD = "/usr/sbin/sshd"

SSHD_CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {home}/host_key
AuthorizedKeysFile {home}/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
"""


@contextlib.contextmanager
def over_http(repositories: Path, token: str) -> Iterator[str]:
    """The bare repositories in a directory, behind git's own program for the web; gives where they are."""

    class Answers(BaseHTTPRequestHandler):
        """Whoever shows the token, under any name, may read."""

        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

        def _answer(self) -> None:
            kind, _, shown = self.headers.get("Authorization", "").partition(" ")
            password = base64.b64decode(shown).decode().partition(":")[2] if kind == "Basic" else ""
            if password != token:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            variables = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(repositories),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "REMOTE_USER": "somebody",
            }
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            done = subprocess.run([BACKEND], input=body, env=variables, capture_output=True, check=False)
            headers, _, content = done.stdout.partition(b"\r\n\r\n")
            lines = dict(line.split(": ", 1) for line in headers.decode().splitlines())
            self.send_response(int(lines.pop("Status", "200").split()[0]))
            for name, value in lines.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@contextlib.contextmanager
def over_ssh(home: Path) -> Iterator[tuple[str, Path]]:
    """An sshd that lets the owner of one key do what ``git-shell`` does; gives where it is, and that key."""
    home.mkdir()
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", home / name], check=True)
    public = (home / "key.pub").read_text()
    (home / "authorized_keys").write_text(f'restrict,command="git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"" {public}')
    port = free_port()
    configuration = home / "sshd_config"
    configuration.write_text(SSHD_CONFIGURATION.format(port=port, home=home))
    Path("/run/sshd").mkdir(exist_ok=True)
    log = home / "log"
    with log.open("wb") as file:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", configuration], stderr=file)
    try:
        eventually(lambda: b"listening" in log.read_bytes(), seconds=20)
        yield f"ssh://{pwd.getpwuid(os.geteuid()).pw_name}@127.0.0.1:{port}", home / "key"
    finally:
        server.terminate()
        server.wait()
        print(log.read_text(), file=sys.stderr)
