"""Finds out when an application is up: as soon as its polling endpoint answers HTTP, whatever it says."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import quote

from cai_deploy.local_workspace.pods import HOST_ADDRESS, Pods, PodUnreachable
from cai_deploy.local_workspace.workloads import PodNote

TIMEOUT = 5.0
# The longer one takes, the less it matters to the moment when it is up: a twentieth of what it took so far.
FIRST_PAUSE, LONGEST_PAUSE, SHARE = 0.05, 1.0, 0.05

MOST_QUESTIONS = 500
"""In a second, to all that start at once: with more, asking would keep a thousand of them from starting."""


class Probe:
    """Asks every application that starts."""

    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self._asked = 0

    async def until_it_answers(self, pod: PodNote, endpoint: str) -> None:
        """Return once ``GET <endpoint>`` on the application's port gets an answer."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._asked += 1
        try:
            while not await self._answers(pod, endpoint):
                pause = max(FIRST_PAUSE, SHARE * (loop.time() - began), self._asked / MOST_QUESTIONS)
                await asyncio.sleep(min(pause, LONGEST_PAUSE))
        finally:
            self._asked -= 1

    async def _answers(self, pod: PodNote, endpoint: str) -> bool:
        try:
            made = await self._pods.socket_into(pod.name)
        except PodUnreachable:
            return False
        made.setblocking(False)
        try:
            return await asyncio.wait_for(_speaks_http(made, pod.port, endpoint), TIMEOUT)
        except (OSError, asyncio.TimeoutError):
            return False
        finally:
            made.close()


async def _speaks_http(made: socket.socket, port: int, endpoint: str) -> bool:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, (HOST_ADDRESS, port))
    path = "/" + quote(endpoint.lstrip("/"), safe="/?&=%:@+,;~-._")
    lines = [f"GET {path} HTTP/1.1", f"Host: localhost:{port}", "User-Agent: workspace-probe", "Connection: close"]
    await loop.sock_sendall(made, "\r\n".join([*lines, "", ""]).encode())
    return (await loop.sock_recv(made, 64)).startswith(b"HTTP/")
