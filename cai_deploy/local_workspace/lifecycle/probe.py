"""Finds out when an application is up: as soon as something speaks HTTP on its port, whatever it says."""

from __future__ import annotations

import asyncio
import socket

from cai_deploy.local_workspace.pods import HOST_ADDRESS, Pods, PodUnreachable
from cai_deploy.local_workspace.workloads import PodNote

TIMEOUT = 5.0
PAUSE = 0.1


async def until_it_answers(pods: Pods, pod: PodNote) -> None:
    """Return once ``GET /`` on the application's port gets an answer."""
    while not await _answers(pods, pod):
        await asyncio.sleep(PAUSE)


async def _answers(pods: Pods, pod: PodNote) -> bool:
    try:
        made = await pods.socket_into(pod.name)
    except PodUnreachable:
        return False
    made.setblocking(False)
    try:
        return await asyncio.wait_for(_speaks_http(made, pod.port), TIMEOUT)
    except (OSError, asyncio.TimeoutError):
        return False
    finally:
        made.close()


async def _speaks_http(made: socket.socket, port: int) -> bool:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, (HOST_ADDRESS, port))
    request = f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: workspace-probe\r\nConnection: close\r\n\r\n"
    await loop.sock_sendall(made, request.encode())
    return (await loop.sock_recv(made, 64)).startswith(b"HTTP/")
