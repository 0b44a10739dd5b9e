"""Whether bytes come back, with real sockets."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from cai_deploy.node.host_echo import knock, listen
from tests.free_ports import free_ports


def test_bytes_come_back_and_a_port_that_is_held_is_told() -> None:
    ports = free_ports(2)
    with socket.create_server(("", 0)) as other, ThreadPoolExecutor(1) as pool:
        held = other.getsockname()[1]
        listening = pool.submit(listen, {"ports": [*ports, held], "seconds": 2.0})
        found = knock({"address": "127.0.0.1", "ports": ports, "seconds": 10.0})["found"]
        assert found == {str(port): "ok" for port in ports}
        assert listening.result() == {"held": [held], "listened": 2}


def test_nobody_is_there() -> None:
    (port,) = free_ports(1)
    assert knock({"address": "127.0.0.1", "ports": [port], "seconds": 0})["found"] == {str(port): "refused"}


def test_somebody_accepts_and_says_nothing_or_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, socket.create_server(("127.0.0.1", 0)) as other:

        def hang_up() -> None:
            came, _ = other.accept()
            came.sendall(b"SSH-2.0-something\r\n")
            time.sleep(0.2)
            came.close()

        threading.Thread(target=hang_up, daemon=True).start()
        ports = [mute.getsockname()[1], other.getsockname()[1]]
        found = knock({"address": "127.0.0.1", "ports": ports, "seconds": 0})["found"]
    assert found[str(ports[0])] == "it accepts and says nothing"
    assert found[str(ports[1])] != "ok"
