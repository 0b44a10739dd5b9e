"""Two programs for the gateway's benchmark: something to reach, and the gateway before it. ``part.py origin PORT``"""

from __future__ import annotations

import asyncio
import os
import sys
import threading

from aiohttp import web

from cai_deploy.node.web.gateway import Gateway, OwnAnswers
from cai_deploy.node.web.guard import Guard
from cai_deploy.node.web.ways import Ways

TOKEN = "0123456789abcdef" * 4
SMALL = os.urandom(1024)
PIECE = os.urandom(1024 * 1024)


class Origin:
    """Small answers, a large one, and streams that all hear of one event."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/small", self._small)
        application.router.add_get("/large", self._large)
        application.router.add_get("/stream", self._stream)
        application.router.add_post("/tell", self._tell)
        return application

    async def _small(self, _: web.Request) -> web.Response:
        return web.Response(body=SMALL)

    async def _large(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.content_length = int(request.query["pieces"]) * len(PIECE)
        await answer.prepare(request)
        for _ in range(int(request.query["pieces"])):
            await answer.write(PIECE)
        return answer

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: hello\n\n")
        await self._told.wait()
        await answer.write(b"data: news!\n\n")
        return answer

    async def _tell(self, _: web.Request) -> web.Response:
        self._told.set()
        self._told = asyncio.Event()
        return web.Response()


async def serve_origin(port: int) -> None:
    runner = web.AppRunner(Origin().application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=2048).start()
    await asyncio.Event().wait()


def serve_gateway(port: int, origin: int) -> None:
    guard = Guard(TOKEN)
    base = f"http://127.0.0.1:{origin}"
    Gateway("ray", Ways(base, base, guard), OwnAnswers(), guard).serve(port)
    threading.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == "origin":
        asyncio.run(serve_origin(int(sys.argv[2])))
    else:
        serve_gateway(int(sys.argv[2]), int(sys.argv[3]))
