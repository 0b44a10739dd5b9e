"""``python -m cai_deploy.node.container LAUNCHER``: a container says which node it is, and becomes its launcher.

All containers of one service are described alike, and differ by nothing that they are told. But Docker's own name
server knows the name of each by its address, and Compose ends that name with the number that it counts the container
by. The host file has only a name by which nobody counts, so the name server itself is asked.

Whoever starts last has the highest epoch, which here is the second of its start, so that those outside can tell what
Ray says of this start from what it remembers of the one before.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cai_deploy import layout
from cai_deploy.errors import ConfigError
from cai_deploy.node.pod import own_address

ENVIRONMENT = Path("/opt/cai-deploy/environment")
"""Where an image has the locked environment."""

RESOLVER = Path("/etc/resolv.conf")
DNS_PORT = 53
TIMEOUT = 2.0
TRIES = 10
PTR = 12
POINTER = 0xC0
HEADER = struct.Struct(">HHHHHH")


def node_name(service: str, container: str) -> str:
    """``ray-1a2b3c-worker-1`` of the service ``worker`` is ``worker-0``, as nodes are counted from 0."""
    number = container.rpartition("-")[2]
    if not number.isdigit() or f"-{service}-{number}" not in container:
        raise ConfigError(
            f"the container {container!r} is none of the service {service}",
            next_step="set CAI_DEPLOY_NODE, or leave the containers' names to Compose",
        )
    return f"{service}-{int(number) - 1}"


def variables(environ: Mapping[str, str], ask: Callable[[], str], now: float) -> dict[str, str]:
    """What this container adds to its variables. ``ask`` gives the container's name."""
    added = {"CAI_DEPLOY_EPOCH": str(int(now))}
    if not environ.get("CAI_DEPLOY_NODE"):
        added["CAI_DEPLOY_NODE"] = node_name(environ.get("CAI_DEPLOY_SERVICE", ""), ask())
    return added


def link_environment(project: Path, name: str) -> None:
    """Have the image's environment stand where launchers look for it, unless one stands there."""
    place = project / layout.environment_dir(name)
    if not name or place.is_dir() or not ENVIRONMENT.is_dir():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # another container was sooner
        place.symlink_to(ENVIRONMENT)


def own_name() -> str:
    """What this container is called. Raises ConfigError when no name server tells."""
    server, address = name_server(RESOLVER.read_text(encoding="utf-8")), own_address()
    why = "no answer"
    for _ in range(TRIES):
        try:
            if name := ask_name(server, address):
                return name.partition(".")[0]
            why = "it knows no name for that address"
        except (OSError, ValueError, struct.error, IndexError) as error:
            why = str(error)
        time.sleep(TIMEOUT / TRIES)
    raise ConfigError(
        f"the name server {server} does not say which container has the address {address}",
        why=why,
        next_step="run the node on a network of Compose's own, or set CAI_DEPLOY_NODE",
    )


def name_server(resolver: str) -> str:
    """The first name server in a resolver's settings, else Docker's own."""
    for line in resolver.splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and len(words) > 1:
            return words[1]
    return "127.0.0.11"


def ask_name(server: str, address: str) -> str:
    """What a name server calls ``address``, "" when it does not know. Raises OSError, or ValueError for nonsense."""
    number = secrets.randbelow(1 << 16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(TIMEOUT)
        link.connect((server, DNS_PORT))
        link.send(question(number, address))
        return read_name(link.recv(4096), number)


def question(number: int, address: str) -> bytes:
    """A question for the name of ``address``."""
    labels = [*reversed(address.split(".")), "in-addr", "arpa"]
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    return HEADER.pack(number, 0x0100, 1, 0, 0, 0) + name + struct.pack(">HH", PTR, 1)


def read_name(answer: bytes, number: int) -> str:
    """The name in an answer to question ``number``, "" when there is none. Raises ValueError for another's answer."""
    told, _, questions, answers, _, _ = HEADER.unpack_from(answer)
    if told != number:
        raise ValueError("an answer to another question")
    at = HEADER.size
    for _ in range(questions):
        at = _name_at(answer, at)[1] + 4
    for _ in range(answers):
        at = _name_at(answer, at)[1]
        kind, _, _, length = struct.unpack_from(">HHIH", answer, at)
        at += 10
        if kind == PTR:
            return _name_at(answer, at)[0]
        at += length
    return ""


def _name_at(answer: bytes, at: int) -> tuple[str, int]:
    """A name, and where what follows it begins. A name may go on at an earlier place, but never in a circle."""
    labels: list[str] = []
    after, begun = -1, at
    while size := answer[at]:
        if size >= POINTER:
            after = at + 2 if after < 0 else after
            target = struct.unpack_from(">H", answer, at)[0] & 0x3FFF
            if target >= begun:
                raise ValueError("a name that never ends")
            at = begun = target
            continue
        labels.append(answer[at + 1 : at + 1 + size].decode("ascii", errors="replace"))
        at += 1 + size
    return ".".join(labels), at + 1 if after < 0 else after


def main() -> None:
    """Become the launcher, which needs nobody above it."""
    launcher = sys.argv[1]
    os.environ.update(variables(os.environ, own_name, time.time()))
    link_environment(Path.cwd(), os.environ.get("CAI_DEPLOY_ENVIRONMENT", ""))
    os.execv(sys.executable, [sys.executable, launcher])  # noqa: S606 (it is this very container's program)


if __name__ == "__main__":
    main()
