"""How a container finds out which node it is."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest

from cai_deploy.errors import ConfigError
from cai_deploy.node import container


def answer(number: int, asked: bytes, name: bytes) -> bytes:
    """An answer as a name server gives it, its first name a pointer to the question's."""
    body = struct.pack(">HHHIH", 0xC00C, container.PTR, 1, 600, len(name)) + name
    return container.HEADER.pack(number, 0x8180, 1, 1, 0, 0) + asked[container.HEADER.size :] + body


def labels(*words: str) -> bytes:
    return b"".join(bytes([len(word)]) + word.encode() for word in words) + b"\0"


@pytest.mark.parametrize(
    ("service", "name", "node"),
    [
        ("worker", "ray-1a2b3c-worker-1", "worker-0"),
        ("worker", "ray-1a2b3c-worker-12", "worker-11"),
        ("gpu-big", "my-ray-1a2b3c-gpu-big-3", "gpu-big-2"),
    ],
)
def test_a_node_is_called_by_its_number(service: str, name: str, node: str) -> None:
    assert container.node_name(service, name) == node


@pytest.mark.parametrize("name", ["4f2a9c", "ray-1a2b3c-head-1", "ray-worker", ""])
def test_a_name_that_is_none_of_the_services_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="none of the service worker"):
        container.node_name("worker", name)


def test_the_name_in_an_answer() -> None:
    asked = container.question(7, "172.18.0.3")
    assert labels("3", "0", "18", "172", "in-addr", "arpa") in asked
    told = answer(7, asked, labels("ray-1a2b3c-worker-2", "ray-1a2b3c_default"))
    assert container.read_name(told, 7) == "ray-1a2b3c-worker-2.ray-1a2b3c_default"


def test_an_answer_without_a_name_and_one_to_another_question() -> None:
    asked = container.question(7, "172.18.0.3")
    nothing = container.HEADER.pack(7, 0x8183, 1, 0, 0, 0) + asked[container.HEADER.size :]
    assert container.read_name(nothing, 7) == ""
    with pytest.raises(ValueError, match="another question"):
        container.read_name(nothing, 8)


def test_a_name_that_leads_in_a_circle_ends() -> None:
    asked = container.question(7, "172.18.0.3")
    at = len(answer(7, asked, b""))
    circle = b"\x01a" + struct.pack(">H", 0xC000 | at)
    with pytest.raises(ValueError, match="never ends"):
        container.read_name(answer(7, asked, circle), 7)


def test_a_name_server_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            asked, who = server.recvfrom(512)
            number = container.HEADER.unpack_from(asked)[0]
            server.sendto(answer(number, asked, labels("ray-1a2b3c-worker-4", "net")), who)

        threading.Thread(target=serve, daemon=True).start()
        resolver = tmp_path / "resolv.conf"
        resolver.write_text("search example.invalid\nnameserver 127.0.0.1\noptions ndots:0\n")
        monkeypatch.setattr(container, "RESOLVER", resolver)
        monkeypatch.setattr(container, "DNS_PORT", server.getsockname()[1])
        assert container.own_name() == "ray-1a2b3c-worker-4"


def test_nobody_knows_us(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setattr(container, "RESOLVER", resolver)
    monkeypatch.setattr(container, "DNS_PORT", port)
    monkeypatch.setattr(container, "TIMEOUT", 0.01)
    with pytest.raises(ConfigError, match="does not say which container"):
        container.own_name()


def test_what_is_named_by_hand_is_called_so() -> None:
    given = {"CAI_DEPLOY_NODE": "remote-1", "CAI_DEPLOY_SERVICE": "worker"}
    assert container.variables(given, pytest.fail, 12.9) == {"CAI_DEPLOY_EPOCH": "12"}
    asked = container.variables({"CAI_DEPLOY_SERVICE": "worker"}, lambda: "ray-1a2b3c-worker-1", 12.9)
    assert asked == {"CAI_DEPLOY_EPOCH": "12", "CAI_DEPLOY_NODE": "worker-0"}


def test_the_images_environment_stands_where_launchers_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside = tmp_path / "image"
    inside.mkdir()
    monkeypatch.setattr(container, "ENVIRONMENT", inside)
    for _ in range(2):
        container.link_environment(tmp_path, "image-1")
        assert (tmp_path / ".cai-deploy/environments/image-1").resolve() == inside
    own = tmp_path / ".cai-deploy/environments/own"
    own.mkdir()
    container.link_environment(tmp_path, "own")
    assert not own.is_symlink()
