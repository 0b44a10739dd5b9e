"""Ports of the head for clients outside, where only HTTPS is open: TCP over a websocket, at a path of the HTTP port.

Only what has a name here is reached: no host and no port comes from outside. Who may come in is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from cai_deploy.carrier import LARGEST_MESSAGE, carry
from cai_deploy.node.web.headers import is_websocket

PATH = "/cai-deploy/tunnel/{name}"
CONNECT_TIMEOUT = 5.0


class Tunnel:
    """Leads to ``services``: ``host:port`` by name."""

    def __init__(self, services: Mapping[str, str]) -> None:
        self._services = dict(services)

    async def join(self, request: web.Request) -> web.StreamResponse:
        """Join a websocket to the service of that name, until one of them ends."""
        name = request.match_info["name"]
        address = self._services.get(name)
        if address is None:
            return _refused(HTTPStatus.NOT_FOUND, f"there is no tunnel {name!r}")
        if not is_websocket(request.headers):
            return _refused(HTTPStatus.UPGRADE_REQUIRED, "a tunnel is a websocket")
        host, _, port = address.rpartition(":")
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), CONNECT_TIMEOUT)
        except (OSError, asyncio.TimeoutError) as error:
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, f"{name} does not answer: {error or 'not in time'}")
        try:
            websocket = web.WebSocketResponse(max_msg_size=LARGEST_MESSAGE, compress=False)
            await websocket.prepare(request)
            await carry(websocket, reader, writer)
        finally:
            writer.close()
        return websocket


def _refused(status: HTTPStatus, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status)
