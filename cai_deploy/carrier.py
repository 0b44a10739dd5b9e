"""A TCP connection carried over a websocket, the same at both ends. It must not know what is carried, nor where to.

Binary messages are pieces of the stream, a text message says that no more will come from that side: a websocket itself
cannot be closed by half. Nothing is kept on the way, so who reads slowly slows down who writes. Both ends send pings,
as proxies close what is silent; an end that waits for nothing else and hears nothing at all takes the other for gone.
aiohttp's own heartbeat is not used: it does not read pongs while it is held back, and so ends whatever is read slowly.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from aiohttp import web

    # Older versions of aiohttp have no generic ones.
    Websocket = web.WebSocketResponse[Any] | aiohttp.ClientWebSocketResponse[Any]

END = "end"
PIECE = 64 * 1024
LARGEST_MESSAGE = 1024 * 1024
"""Bytes. More than a piece, as another version may cut larger ones."""

BREAKS = (OSError, aiohttp.ClientError, asyncio.TimeoutError)
"""What a connection that breaks raises, on either side."""


@dataclass(frozen=True)
class Pace:
    """Seconds: between two pings, and of silence after which the other end is gone."""

    ping: float = 20.0
    silence: float = 65.0


class Gone(ConnectionError):
    """The other end left without a word."""


async def carry(
    websocket: Websocket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pace: Pace | None = None
) -> bool:
    """Until both sides have said all; whether they have. Both ends are closed then.

    When one breaks, the other is broken off too: whoever is there must not take a piece for the whole.
    """
    pace = pace or Pace()
    ways = [asyncio.create_task(way) for way in (_send(reader, websocket), _receive(websocket, writer, pace.silence))]
    beat = asyncio.create_task(_beat(websocket, pace.ping))
    going, whole = set(ways), False
    try:
        while going:
            ended, _ = await asyncio.wait({*going, beat}, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
            going -= ended
        whole = True
    except BREAKS:
        pass  # Told by the answer: what broke is of no use to anybody.
    finally:
        for task in (*ways, beat):
            task.cancel()
        await asyncio.gather(*ways, beat, return_exceptions=True)
        if whole:
            writer.close()
        else:
            writer.transport.abort()
        await websocket.close(code=aiohttp.WSCloseCode.OK if whole else aiohttp.WSCloseCode.GOING_AWAY)
    return whole


async def _send(reader: asyncio.StreamReader, websocket: Websocket) -> None:
    while piece := await reader.read(PIECE):
        await websocket.send_bytes(piece)
    await websocket.send_str(END)


async def _receive(websocket: Websocket, writer: asyncio.StreamWriter, silence: float) -> None:
    while True:
        # Pings are heard within: each message of any kind begins the time anew.
        message = await websocket.receive(timeout=silence)
        if message.type is aiohttp.WSMsgType.BINARY:
            writer.write(message.data)
            await writer.drain()
        elif message.type is aiohttp.WSMsgType.TEXT and message.data == END:
            writer.write_eof()
            return
        else:
            raise Gone


async def _beat(websocket: Websocket, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        await websocket.ping()
