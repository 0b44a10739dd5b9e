"""TLS between Ray's processes, for a cluster that asks for it: each shows a certificate, and asks the other for one.

The head makes the cluster's authority, once in the life of a cluster. Who can read it can make certificates, so it is
closed as the token is. Every node makes its own certificate with it, at each of its starts and in files of its own pod:
Ray wants a certificate to name the address that it stands at, and a pod that comes back has another.

Programs of the project that are no node, as a session is, get theirs with ``python -m cai_deploy.node.tls CLUSTER``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from cai_deploy import layout
from cai_deploy.errors import DeployError
from cai_deploy.node.pod import Pod, own_address
from cai_deploy.node.secret_file import comes, make_once, write_closed
from cai_deploy.node_settings import NodeSettings

PATIENCE = 60.0
"""Seconds; a file of another machine may be that late on a shared file system which remembers what was not there."""

OWNER_ONLY_DIR = 0o700
CERTIFICATE_BEGINS = "-----BEGIN CERTIFICATE-----"
HTTP2 = ["h2"]
"""What gRPC wants to be agreed upon."""


class NoAuthority(DeployError):
    """The cluster is to have TLS, and no certificate can be made here."""


class Certificate:
    """The certificate of one node, signed by the authority in ``authority``: it has its place before it is made."""

    def __init__(self, authority: Path, node: str, address: str) -> None:
        self._authority = authority
        self._node = node
        self._address = address
        self._made = False
        self._directory = Path(tempfile.mkdtemp(prefix="tls-"))

    @property
    def variables(self) -> dict[str, str]:
        """What makes Ray speak TLS in every process that has them."""
        return {
            "RAY_USE_TLS": "1",
            "RAY_TLS_SERVER_CERT": str(self._directory / "certificate.pem"),
            "RAY_TLS_SERVER_KEY": str(self._directory / "key.pem"),
            "RAY_TLS_CA_CERT": str(self._directory / "authority.pem"),
        }

    def found(self, cluster: str) -> None:
        """Make it, and the authority too unless there is one: the head's way. Raises NoAuthority."""
        create_authority(self._authority, cluster)
        self.make()

    def join(self, stop: threading.Event) -> bool:
        """Make it as soon as there is an authority; False when we are told to stop. Raises NoAuthority."""
        if self._made:
            return True
        if not comes(lambda: read_authority(self._authority), PATIENCE, stop):
            raise NoAuthority(
                f"there is no authority at {self._authority}, though the cluster has a head",
                next_step="start the head again: python -m cai_deploy launch",
            )
        if stop.is_set():
            return False
        self.make()
        return True

    def make(self) -> None:
        """Make it, once in the life of the node. Raises NoAuthority."""
        variables = self.variables
        authority_key, begin, rest = read_authority(self._authority).partition(CERTIFICATE_BEGINS)
        hosts = [self._address, "127.0.0.1", "localhost", socket.gethostname()]
        try:
            from cai_deploy.node.certificates import signed_certificate

            key, certificate = signed_certificate(authority_key, begin + rest, self._node, hosts)
        except ImportError as error:
            raise _no_library() from error
        except ValueError as error:
            raise NoAuthority(
                f"no certificate can be made with {self._authority}",
                why=str(error),
                next_step="remove that file and start the cluster again: python -m cai_deploy launch",
            ) from error
        write_closed(Path(variables["RAY_TLS_CA_CERT"]), begin + rest)
        write_closed(Path(variables["RAY_TLS_SERVER_KEY"]), key)
        write_closed(Path(variables["RAY_TLS_SERVER_CERT"]), certificate)
        self._made = True

    def for_callers(self) -> ssl.SSLContext:
        """To serve those who show a certificate of the cluster."""
        return self._context(ssl.Purpose.CLIENT_AUTH)

    def for_calls(self) -> ssl.SSLContext:
        """To call a node at the address that its certificate names."""
        return self._context(ssl.Purpose.SERVER_AUTH)

    def remove(self) -> None:
        """When nobody needs it any more."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _context(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        variables = self.variables
        context = ssl.create_default_context(purpose, cafile=variables["RAY_TLS_CA_CERT"])
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(variables["RAY_TLS_SERVER_CERT"], variables["RAY_TLS_SERVER_KEY"])
        context.set_alpn_protocols(HTTP2)
        return context


def node_certificate(settings: NodeSettings, pod: Pod) -> Certificate | None:
    """That of this node, to be made; None in a cluster without TLS."""
    return Certificate(pod.authority_file(settings.cluster), pod.node, pod.address) if settings.tls else None


def use_tls(certificate: Certificate | None, environ: MutableMapping[str, str]) -> None:
    """Have Ray speak TLS, or not, in every process that inherits ``environ``, whatever a variable said before."""
    for name in ("RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"):
        environ.pop(name, None)
    environ.update(certificate.variables if certificate else {"RAY_USE_TLS": "0"})


def create_authority(path: Path, cluster: str) -> None:
    """Make the cluster's authority unless there is one; two heads that do so at once end with the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(OWNER_ONLY_DIR)
    if not read_authority(path):
        try:
            from cai_deploy.node.certificates import new_authority
        except ImportError as error:
            raise _no_library() from error
        # One file, as a key and a certificate that were put there by two heads would not belong together.
        make_once(path, "".join(new_authority(cluster)))


def read_authority(path: Path) -> str:
    """Its key and its certificate, "" while there is none. Raises NoAuthority when it may not be read."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise NoAuthority(
            f"the cluster's authority cannot be read: {path.name}",
            why=str(error),
            next_step="run the node as the user who owns the project's files",
        ) from error


def certified(cluster: str) -> Mapping[str, str]:
    """Variables for a program in the project's directory that is no node, and a certificate for it. Raises NoAuthority.

    The certificate lies in the pod's temporary directory and goes with the pod.
    """
    path = Path.cwd() / layout.authority_file(cluster)
    if not read_authority(path):
        raise NoAuthority(
            f"there is no authority at {path}",
            next_step="run this in the directory of a project whose cluster has `tls: true`, and runs",
        )
    certificate = Certificate(path, "session", own_address())
    certificate.make()
    return certificate.variables


def _no_library() -> NoAuthority:
    return NoAuthority(
        "the environment has no library for certificates",
        next_step="add `cryptography` to the requirements that environment.requirements names, and lock them again",
    )


if __name__ == "__main__":
    try:
        for name, value in certified(sys.argv[1] if len(sys.argv) > 1 else "ray").items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    except DeployError as error:
        sys.exit(f"error: {error.what}{os.linesep}hint: {error.next_step}")
