"""A port on this machine for Ray Client: each connection to it is carried to the head over a websocket of its own.

Nothing is added to what passes: who connects needs the cluster's token, as everywhere. As there are clusters without
one, only this user's programs are carried all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp

from cai_deploy.access import Access
from cai_deploy.carrier import BREAKS, LARGEST_MESSAGE, carry
from cai_deploy.tunnel.peers import is_ours

if TYPE_CHECKING:
    from cai_deploy.carrier import Websocket

PATH = "/cai-deploy/tunnel/client"
ANSWER_TIMEOUT = 30.0
"""Seconds for a head to open its end."""

REASONS = {
    HTTPStatus.UNAUTHORIZED: "the head does not let us in; start the tunnel again",
    HTTPStatus.FORBIDDEN: "the platform does not let us in",
    HTTPStatus.NOT_FOUND: "the head has no tunnel: it runs an older version, or an inline command",
}


class ClientPort:
    """Carries to the head behind ``access``. ``say`` hears, once for each reason, why a connection came to nothing."""

    def __init__(self, access: Access, session: aiohttp.ClientSession, say: Callable[[str], object]) -> None:
        self._access = access
        self._session = session
        self._say = say
        self._said = ""

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        if not is_ours(writer.get_extra_info("peername")[1], writer.get_extra_info("sockname")[1]):
            self._tell("it is another user's")
            writer.transport.abort()
            return
        websocket = None
        try:
            websocket = await self._open()
        except aiohttp.WSServerHandshakeError as refused:
            self._tell(REASONS.get(HTTPStatus(refused.status), f"the head does not answer (status {refused.status})"))
        except BREAKS as error:
            self._tell(f"the head cannot be reached ({type(error).__name__})")
        if websocket is None:
            writer.transport.abort()
            return
        self._said = ""
        await carry(websocket, reader, writer)

    async def _open(self) -> Websocket:
        async def ask() -> Websocket:
            url, headers = self._access.websocket_url + PATH, self._access.headers
            return await self._session.ws_connect(url, headers=headers, max_msg_size=LARGEST_MESSAGE)

        return await asyncio.wait_for(ask(), ANSWER_TIMEOUT)

    def _tell(self, reason: str) -> None:
        if reason != self._said:
            self._say(f"a Ray Client connection came to nothing: {reason}")
        self._said = reason
